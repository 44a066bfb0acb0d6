"""Answer with a body of a declared shape."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from http import HTTPStatus

from fastapi import Request, Response
from pydantic import BaseModel

from api.preconditions import unchanged
from registry.cached import CachedCatalog

_JSON = "application/json"
_HEADERS = ("ETag", "Link")
"""Those that belong to a body, in the order in which they are kept before it."""
_HEADER = re.compile(r"[!-~ ]*")


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


def created(body: BaseModel, *, within: Request, name: object, etag: str) -> Response:
    """Answer the create `within` a collection with what goes by `name` there from now on."""
    place = {"Location": f"{within.url.path}/{name}"}
    return answered(body, status=HTTPStatus.CREATED, etag=etag, headers=place)


def read(body: BaseModel, *, etag: str, if_none_match: str | None) -> Response:
    """Return the body, or 304 to a caller who has it."""
    if unchanged(if_none_match, etag):
        return Response(status_code=HTTPStatus.NOT_MODIFIED, headers={"ETag": etag})
    return answered(body, etag=etag)


@dataclass(frozen=True, slots=True)
class _Kept:
    """An answer as it is kept."""

    headers: Mapping[str, str]
    """Those of `_HEADERS` that it has."""
    body: bytes
    """JSON."""


async def kept(
    cached: CachedCatalog,
    request: Request,
    scope: str,
    look: Callable[[], Response],
    *,
    shape: type[BaseModel],
    by_alias: bool = False,
) -> Response:
    """Return what `look` answers, mostly from the cache, or 304 to a caller who has it.

    `look` runs in a thread, and answers everybody alike with a body of this `shape`. `scope` and
    `by_alias` are as for `CachedCatalog.kept`. Raises what `look` raises.
    """
    found = await cached.kept(
        scope,
        f"GET {request.scope['path']}",
        lambda: _of_response(look()),
        encode=_encode,
        decode=lambda said: _decode(said, shape),
        by_alias=by_alias,
    )
    etag = found.headers.get("ETag")
    if etag is not None and unchanged(request.headers.get("if-none-match"), etag):
        return Response(status_code=HTTPStatus.NOT_MODIFIED, headers={"ETag": etag})
    return Response(found.body, headers=found.headers, media_type=_JSON)


def _of_response(response: Response) -> _Kept:
    told = {name: response.headers[name] for name in _HEADERS if name in response.headers}
    return _Kept(told, bytes(response.body))


def _encode(answer: _Kept) -> bytes:
    lines = [answer.headers.get(name, "").encode("latin-1") for name in _HEADERS]
    return b"\n".join([*lines, answer.body])


def _decode(said: bytes, shape: type[BaseModel]) -> _Kept:
    """Return the answer; raises `ValueError` for what has another shape."""
    *lines, body = said.split(b"\n", len(_HEADERS))
    headers = {name: line.decode("ascii") for name, line in zip(_HEADERS, lines, strict=True)}
    for line in headers.values():
        if not _HEADER.fullmatch(line):
            raise ValueError(f"{line!r:.40} is no header")
    shape.model_validate_json(body)
    return _Kept({name: line for name, line in headers.items() if line}, body)
