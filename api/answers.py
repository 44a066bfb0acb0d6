"""Answer with a body of a declared shape."""

from collections.abc import Callable, Mapping
from http import HTTPStatus

from fastapi import Request, Response
from pydantic import BaseModel

from api.preconditions import unchanged
from registry.cached import CachedCatalog
from registry.reading import CatalogReader

_JSON = "application/json"


def answered(
    body: BaseModel,
    *,
    status: HTTPStatus = HTTPStatus.OK,
    etag: str | None = None,
    headers: Mapping[str, str] | None = None,
) -> Response:
    """Return the body as JSON, with its entity tag where it has one.

    A `Response` of its own spares FastAPI to validate once more what has just been built.
    """
    told = {"ETag": etag, **(headers or {})} if etag is not None else dict(headers or {})
    return Response(body.model_dump_json(), status_code=status, headers=told, media_type=_JSON)


def read(body: BaseModel, *, etag: str, if_none_match: str | None) -> Response:
    """Return the body, or 304 to a caller who has it."""
    if unchanged(if_none_match, etag):
        return Response(status_code=HTTPStatus.NOT_MODIFIED, headers={"ETag": etag})
    return answered(body, etag=etag)


async def kept(
    cached: CachedCatalog,
    request: Request,
    scope: str,
    look: Callable[[CatalogReader], tuple[str, BaseModel]],
) -> Response:
    """Return what `look` finds in the catalog, entity tag and body, mostly from the cache.

    `scope` is the model that it speaks of. Raises what `look` raises; it is run in a thread.
    """

    def load(catalog: CatalogReader) -> bytes:
        etag, body = look(catalog)
        return f"{etag}\n{body.model_dump_json()}".encode()

    tag, _, told = (await cached.kept(scope, request.scope["path"], load)).partition(b"\n")
    etag = tag.decode()
    if unchanged(request.headers.get("if-none-match"), etag):
        return Response(status_code=HTTPStatus.NOT_MODIFIED, headers={"ETag": etag})
    return Response(told, headers={"ETag": etag}, media_type=_JSON)
