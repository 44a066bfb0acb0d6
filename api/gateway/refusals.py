"""Refuse a request with problem details."""

from collections.abc import Mapping
from http import HTTPStatus

from fastapi import Request, Response
from starlette.types import Receive, Scope, Send

from api.problems import Problem, answer

QUOTA_EXCEEDED = "https://iana.org/assignments/http-problem-types#quota-exceeded"
"""The registered type of 429, with the title that the registry gives it."""


class Refusal(Exception):
    """A request that is not let through; a middleware sends it, a dependency raises it."""

    def __init__(
        self,
        status: HTTPStatus,
        detail: str,
        *,
        uri: str = "about:blank",
        title: str | None = None,
        headers: Mapping[str, str] | None = None,
        members: Mapping[str, object] | None = None,
    ) -> None:
        """Describe the answer; `members` are members of the problem besides the usual ones."""
        super().__init__(detail)
        self.status = status
        self.headers = dict(headers or {})
        self._uri = uri
        self._title = title or status.phrase
        self._detail = detail
        self._members = dict(members or {})

    def response(self, path: str) -> Response:
        """Return the answer to a request for `path`."""
        problem = Problem.model_validate(
            {
                **self._members,
                "type": self._uri,
                "title": self._title,
                "status": self.status,
                "detail": self._detail,
                "instance": path,
            }
        )
        return answer(problem, self.headers)

    async def send(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer the request of `scope`."""
        await self.response(scope["path"])(scope, receive, send)


def no_token() -> Refusal:
    """Return 401 for a request without a token (RFC 6750, section 3.1: no error code then)."""
    return Refusal(
        HTTPStatus.UNAUTHORIZED,
        "this path needs a token: send `Authorization: Bearer …`",
        headers={"WWW-Authenticate": 'Bearer realm="nightshift"'},
    )


def bad_token(reason: str) -> Refusal:
    """Return 401 for a token that is not accepted; `reason` must be quotable ASCII."""
    return Refusal(
        HTTPStatus.UNAUTHORIZED,
        f"the token is not accepted: {reason}",
        headers={
            "WWW-Authenticate": 'Bearer realm="nightshift", error="invalid_token", '
            f'error_description="{reason}"'
        },
    )


def lacking_scopes(missing: list[str]) -> Refusal:
    """Return 403 for a token that does not allow what was asked for."""
    words = " ".join(missing)
    return Refusal(
        HTTPStatus.FORBIDDEN,
        f"the token does not allow this: it lacks {words}",
        headers={
            "WWW-Authenticate": 'Bearer realm="nightshift", error="insufficient_scope", '
            f'scope="{words}"'
        },
        members={"missing_scopes": missing},
    )


async def of_refusal(request: Request, error: Exception) -> Response:
    """Answer a refusal that a dependency raised."""
    assert isinstance(error, Refusal)
    return error.response(request.url.path)
