"""Answer with a body of a declared shape."""

from collections.abc import Mapping
from http import HTTPStatus

from fastapi import Response
from pydantic import BaseModel

from api.preconditions import unchanged


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
    return Response(
        body.model_dump_json(), status_code=status, headers=told, media_type="application/json"
    )


def read(body: BaseModel, *, etag: str, if_none_match: str | None) -> Response:
    """Return the body, or 304 to a caller who has it."""
    if unchanged(if_none_match, etag):
        return Response(status_code=HTTPStatus.NOT_MODIFIED, headers={"ETag": etag})
    return answered(body, etag=etag)
