"""Give a token away, in development only."""

from collections.abc import Callable
from http import HTTPStatus

from fastapi import APIRouter, Request, Response
from pydantic import BaseModel, ConfigDict, Field
from pydantic.config import JsonDict
from starlette.datastructures import Headers

from api.gateway.boot import is_loopback
from api.gateway.scopes import ALL_SCOPES
from api.gateway.settings import TokenSettings
from api.gateway.tokens import make_token
from api.problems import Kind, Refused, refusals

NOT_FROM_HERE = Kind(
    "not-from-here",
    HTTPStatus.FORBIDDEN,
    "Not from here",
    "The request did not come straight from this machine.",
)
PATH = "/v1/token/demo"
_FORWARDED = ("forwarded", "x-forwarded-for", "x-forwarded-host", "via")

router = APIRouter(tags=["development"])


_NOTICE = "development only: whoever reaches this port gets such a token"
_EXAMPLE: JsonDict = {
    "token": "eyJ….eyJ….…",
    "expires_in_s": 43200,
    "scope": " ".join(sorted(ALL_SCOPES)),
    "notice": _NOTICE,
}


class DemoToken(BaseModel):
    """A token for trying things out."""

    model_config = ConfigDict(json_schema_extra={"examples": [_EXAMPLE]})

    token: str = Field(description="Send it as `Authorization: Bearer …`.")
    expires_in_s: int = Field(description="Its life in seconds.")
    scope: str = Field(description="What it allows: everything.")
    notice: str = Field(description="What must be known about it.")


class Demo:
    """Makes tokens that allow everything."""

    def __init__(
        self, secret: bytes, settings: TokenSettings, *, clock: Callable[[], float]
    ) -> None:
        self._secret = secret
        self._settings = settings
        self._clock = clock

    def token(self) -> DemoToken:
        """Return a new one."""
        lifetime_s = self._settings.demo_lifetime_s
        token = make_token(
            self._secret,
            subject="demo",
            scopes=ALL_SCOPES,
            expected=self._settings.expected,
            now=self._clock(),
            lifetime_s=lifetime_s,
        )
        return DemoToken(
            token=token,
            expires_in_s=int(lifetime_s),
            scope=" ".join(sorted(ALL_SCOPES)),
            notice=_NOTICE,
        )


@router.get(
    PATH,
    responses=refusals(NOT_FROM_HERE),
    openapi_extra={"x-development-only": True},
)
async def demo_token(request: Request, response: Response) -> DemoToken:
    """Give a token that allows everything. This path exists in development only.

    A page in the browser of this machine could make itself look as if it were here by its name
    (DNS rebinding), and a proxy brings strangers: both are refused.
    """
    if not _is_from_here(request.headers):
        raise Refused(
            NOT_FROM_HERE,
            "a demo token is for this machine: ask for it at http://127.0.0.1 or localhost, "
            "without a proxy",
        )
    response.headers["Cache-Control"] = "no-store"
    demo = request.app.state.gateway.demo
    assert isinstance(demo, Demo)
    return demo.token()


def _is_from_here(headers: Headers) -> bool:
    host = headers.get("host", "")
    name = host.rpartition(":")[0] if host.rpartition(":")[2].isdigit() else host
    return is_loopback(name) and not any(each in headers for each in _FORWARDED)
