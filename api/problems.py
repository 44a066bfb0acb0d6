"""Say what went wrong as RFC 9457 problem details."""

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from fastapi import Request, Response
from pydantic import BaseModel, ConfigDict, Field
from starlette.exceptions import HTTPException

MEDIA_TYPE = "application/problem+json"


class Problem(BaseModel):
    """The body of an answer that is not what was asked for; a kind may have more members."""

    model_config = ConfigDict(extra="allow")

    type: str = Field(
        default="about:blank",
        description="A URI that names the kind; `about:blank` says no more than the status.",
    )
    title: str = Field(description="The kind in words, always the same ones.")
    status: int = Field(description="The HTTP status.")
    detail: str | None = Field(default=None, description="This case in words.")
    instance: str | None = Field(default=None, description="The path that was asked for.")


def documented(description: str) -> dict[str, Any]:
    """Return what OpenAPI says of an answer that is a problem."""
    schema = Problem.model_json_schema()
    return {"description": description, "content": {MEDIA_TYPE: {"schema": schema}}}


def answer(problem: Problem, headers: Mapping[str, str] | None = None) -> Response:
    """Return the problem as an answer."""
    return Response(
        problem.model_dump_json(exclude_none=True),
        status_code=problem.status,
        headers=dict(headers or {}),
        media_type=MEDIA_TYPE,
    )


async def of_http_error(request: Request, error: Exception) -> Response:
    """Answer what the framework refuses: unknown paths, wrong methods."""
    assert isinstance(error, HTTPException)
    title = HTTPStatus(error.status_code).phrase
    detail = error.detail if error.detail != title else None
    problem = Problem(
        title=title, status=error.status_code, detail=detail, instance=request.url.path
    )
    return answer(problem, error.headers)
