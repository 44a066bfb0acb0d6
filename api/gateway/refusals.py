"""Refuse a request before it reaches its route."""

from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

from fastapi import Request
from starlette.types import Receive, Scope, Send

from api import problems
from api.problems import Kind, Refused

_REALM = 'Bearer realm="nightshift"'


@dataclass(frozen=True, slots=True)
class RegisteredKind(Kind):
    """A kind that IANA has registered a type for."""

    uri: str
    """Its `type`."""

    @property
    def type(self) -> str:
        """The URI that names it."""
        return self.uri


NO_TOKEN = Kind(
    "no-token", HTTPStatus.UNAUTHORIZED, "Token missing", "The request has no bearer token."
)
BAD_TOKEN = Kind(
    "token-not-accepted",
    HTTPStatus.UNAUTHORIZED,
    "Token not accepted",
    "The token is not from the trusted issuer, not for this API, or not valid now.",
)
LACKING_SCOPES = Kind(
    "scope-missing",
    HTTPStatus.FORBIDDEN,
    "Scope missing",
    "The token does not allow this; `missing_scopes` names what it lacks.",
)
KEYS_AWAY = Kind(
    "keys-unavailable",
    HTTPStatus.SERVICE_UNAVAILABLE,
    "Keys unavailable",
    "Tokens cannot be verified now: their issuer has not published its keys since the start.",
)
OVER_QUOTA = RegisteredKind(
    "quota-exceeded",
    HTTPStatus.TOO_MANY_REQUESTS,
    "Request cannot be satisfied as assigned quota has been exceeded",
    "A quota of this caller is used up; `Retry-After` says when it has room again.",
    uri="https://iana.org/assignments/http-problem-types#quota-exceeded",
)
OVER_CAPACITY = Kind(
    "over-capacity",
    HTTPStatus.SERVICE_UNAVAILABLE,
    "Over capacity",
    "As many requests, or bytes of them, are under way as this server takes; another one may "
    "have room.",
)
TOO_LARGE = Kind(
    "body-too-large",
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
    "Body too large",
    "The body is larger than this path takes; `max_bytes` says how large it may be.",
)
ENCODED = Kind(
    "content-encoding",
    HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
    "Content encoding not supported",
    "The body is compressed, or in a way that this path does not take.",
)
TOO_SLOW = Kind(
    "body-too-slow",
    HTTPStatus.REQUEST_TIMEOUT,
    "Body too slow",
    "The body did not arrive in time.",
)

GUARDED: dict[int | str, dict[str, Any]] = problems.refusals(
    NO_TOKEN, BAD_TOKEN, LACKING_SCOPES, OVER_QUOTA
)
"""The `responses=` of every router whose routes need a scope."""


def no_token() -> Refused:
    """Refuse a request without a token (RFC 6750, section 3.1: no error code then)."""
    return Refused(
        NO_TOKEN,
        "this path needs a token: send `Authorization: Bearer …`",
        headers={"WWW-Authenticate": _REALM},
    )


def bad_token(reason: str) -> Refused:
    """Refuse a token; `reason` must be ASCII without quotes."""
    told = f'{_REALM}, error="invalid_token", error_description="{reason}"'
    return Refused(
        BAD_TOKEN, f"the token is not accepted: {reason}", headers={"WWW-Authenticate": told}
    )


def lacking_scopes(missing: list[str]) -> Refused:
    """Refuse what the token does not allow."""
    words = " ".join(missing)
    told = f'{_REALM}, error="insufficient_scope", scope="{words}"'
    return Refused(
        LACKING_SCOPES,
        f"the token does not allow this: it lacks {words}",
        headers={"WWW-Authenticate": told},
        members={"missing_scopes": missing},
    )


async def send_refusal(
    refused: Refused,
    scope: Scope,
    receive: Receive,
    send: Send,
    headers: Mapping[str, str] | None = None,
) -> None:
    """Answer the request of `scope` with it, and with more `headers`."""
    answer = problems.refusal(
        Request(scope),
        refused.kind,
        refused.detail,
        headers={**refused.headers, **(headers or {})},
        members=refused.members,
    )
    await answer(scope, receive, send)
