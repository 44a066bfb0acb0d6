"""Say what went wrong as RFC 9457 problem details."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

from fastapi import Request, Response
from pydantic import BaseModel, ConfigDict, Field
from starlette.exceptions import HTTPException

MEDIA_TYPE = "application/problem+json"
V2_MEDIA_TYPE = "application/json"
_V2 = "/v2"
_TYPES = "urn:nightshift:problem:"


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


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of problem, by which a program tells it from the others."""

    name: str
    """Last part of its `type`: `urn:nightshift:problem:NAME`."""
    status: HTTPStatus
    """The HTTP status that it is answered with."""
    title: str
    """What it is, in words that are always the same."""
    explained: str
    """When it happens, for whoever reads the API's description."""

    @property
    def type(self) -> str:
        """The URI that names it."""
        return _TYPES + self.name


class Refused(Exception):
    """A request that is answered with a problem; raised by the API's own code."""

    def __init__(
        self,
        kind: Kind,
        detail: str,
        *,
        headers: Mapping[str, str] | None = None,
        members: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(kind, detail)
        self.kind = kind
        self.detail = detail
        """This case in words."""
        self.headers = dict(headers or {})
        """What the answer carries besides."""
        self.members = dict(members or {})
        """What this kind of problem says besides: JSON values by name."""

    def __str__(self) -> str:
        return self.detail

    def __reduce__(self) -> tuple[object, ...]:
        return (_rebuild, (self.kind, self.detail, self.headers, self.members))


def _rebuild(
    kind: Kind, detail: str, headers: Mapping[str, str], members: Mapping[str, Any]
) -> Refused:
    return Refused(kind, detail, headers=headers, members=members)


def documented(description: str) -> dict[str, Any]:
    """Return what OpenAPI says of an answer that is a problem."""
    return {
        "description": description,
        "content": {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}},
    }


def refusals(*kinds: Kind) -> dict[int | str, dict[str, Any]]:
    """Return what OpenAPI says of the problems that a route may answer with, by status."""
    described: dict[int | str, dict[str, Any]] = {}
    for status in sorted({kind.status for kind in kinds}):
        those = [kind for kind in dict.fromkeys(kinds) if kind.status == status]
        told = documented(" Or: ".join(kind.explained for kind in those))
        told["content"][MEDIA_TYPE]["examples"] = {kind.name: _example(kind) for kind in those}
        described[int(status)] = told
    return described


def answer(problem: Problem, headers: Mapping[str, str] | None = None) -> Response:
    """Return the problem as an answer.

    Under `/v2` it has the member `error` as well, and is plain JSON: clients of the Open Inference
    Protocol read `error`, KServe's only where the media type is that one.
    """
    told, media_type = problem.model_dump(exclude_none=True), MEDIA_TYPE
    if problem.instance is not None and is_v2(problem.instance):
        told = {"error": problem.detail or problem.title} | told
        media_type = V2_MEDIA_TYPE
    return Response(
        json.dumps(told, ensure_ascii=False, separators=(",", ":")).encode(),
        status_code=problem.status,
        headers=dict(headers or {}),
        media_type=media_type,
    )


def is_v2(path: str) -> bool:
    """Say whether a path belongs to the Open Inference Protocol."""
    return path == _V2 or path.startswith(f"{_V2}/")


def refusal(
    request: Request,
    kind: Kind,
    detail: str,
    *,
    headers: Mapping[str, str] | None = None,
    members: Mapping[str, Any] | None = None,
) -> Response:
    """Return the answer to a request that is refused for `kind`."""
    problem = Problem(
        type=kind.type,
        title=kind.title,
        status=kind.status,
        detail=detail,
        instance=request.url.path,
        **dict(members or {}),
    )
    return answer(problem, headers)


async def of_refused(request: Request, error: Exception) -> Response:
    """Answer what the API's own code refuses."""
    assert isinstance(error, Refused)
    return refusal(request, error.kind, error.detail, headers=error.headers, members=error.members)


async def of_http_error(request: Request, error: Exception) -> Response:
    """Answer what the framework refuses: unknown paths, wrong methods."""
    assert isinstance(error, HTTPException)
    title = HTTPStatus(error.status_code).phrase
    detail = error.detail if error.detail != title else None
    problem = Problem(
        title=title, status=error.status_code, detail=detail, instance=request.url.path
    )
    return answer(problem, error.headers)


def _example(kind: Kind) -> dict[str, Any]:
    told = {"type": kind.type, "title": kind.title, "status": int(kind.status)}
    return {"summary": kind.explained, "value": told}
