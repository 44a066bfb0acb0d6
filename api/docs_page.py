"""Show the API's description as a page that needs no other host."""

from functools import cache
from importlib.resources import files

from fastapi import APIRouter, Response
from fastapi.openapi.docs import get_swagger_ui_html
from fastapi.responses import HTMLResponse

_ASSETS = "fastapi_swagger.resources"
"""The wheel that carries Swagger UI; only its files are used."""
_TYPES = {
    "swagger-ui-bundle.js": "text/javascript",
    "swagger-ui.css": "text/css",
    "favicon-32x32.png": "image/png",
}
_DAY = {"Cache-Control": "public, max-age=86400"}

router = APIRouter(prefix="/docs", include_in_schema=False)


@router.get("")
async def docs() -> HTMLResponse:
    """Show every route with its examples; FastAPI's own page takes its assets from a CDN."""
    return get_swagger_ui_html(
        openapi_url="/openapi.json",
        title="Nightshift",
        swagger_js_url="/docs/swagger-ui-bundle.js",
        swagger_css_url="/docs/swagger-ui.css",
        swagger_favicon_url="/docs/favicon-32x32.png",
        swagger_ui_parameters={"tryItOutEnabled": True, "persistAuthorization": True},
    )


def _add(name: str, media_type: str) -> None:
    async def asset() -> Response:
        return Response(_read(name), media_type=media_type, headers=_DAY)

    router.get(f"/{name}")(asset)


@cache
def _read(name: str) -> bytes:
    return files(_ASSETS).joinpath(name).read_bytes()


for _name, _media_type in _TYPES.items():
    _add(_name, _media_type)
