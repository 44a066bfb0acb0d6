"""Read what the headers of an inference request say."""

import re
from dataclasses import dataclass

from fastapi import Request

from api.gateway.headers import field
from api.gateway.principal import caller_of
from api.gateway.refusals import lacking_scopes
from api.v2.kinds import malformed

JSON_BYTES = "Inference-Header-Content-Length"
TIMEOUT = "X-Request-Timeout-Ms"
STICKY_KEY = "X-Sticky-Key"
PIN_VERSION = "X-Pin-Version"
PIN_SCOPE = "inference:pin"
"""Whose token has it may choose a version of a weighted alias, its shadow included."""

PRIORITY_SCOPE = "inference:priority"
"""Whose token has it may ask for a priority before the default of online requests."""

_NAMES = {name: name.lower().encode() for name in (JSON_BYTES, TIMEOUT, STICKY_KEY, PIN_VERSION)}
"""As they are in what came."""
_NUMBER = re.compile(r"[0-9]{1,18}")
_LONGEST_KEY = 256


@dataclass(frozen=True, slots=True)
class Told:
    """What the headers say."""

    json_bytes: int | None
    """Length of the JSON that begins the body; None when all of it is JSON."""
    timeout_s: float | None
    """How long the caller waits; None when nothing is said."""
    sticky_key: str
    """Requests with the same key get the same version; empty for chance."""
    pinned: int | None
    """The version that must answer; None for any that the alias has."""
    may_go_first: bool
    """Whether the token allows a priority before that of others."""


def read_headers(request: Request) -> Told:
    """Return what they say; raises `Refused`."""
    key = field(request.scope, _NAMES[STICKY_KEY]) or ""
    if len(key) > _LONGEST_KEY:
        raise malformed(f"{STICKY_KEY} has more than {_LONGEST_KEY} characters")
    timeout_ms = _number(request, TIMEOUT)
    if timeout_ms == 0:
        raise malformed(f"{TIMEOUT} must be 1 at least")
    pinned = _number(request, PIN_VERSION)
    allowed = _scopes(request)
    if pinned is not None and PIN_SCOPE not in allowed:
        raise lacking_scopes([PIN_SCOPE])
    return Told(
        json_bytes=_number(request, JSON_BYTES),
        timeout_s=None if timeout_ms is None else timeout_ms / 1000,
        sticky_key=key,
        pinned=pinned,
        may_go_first=PRIORITY_SCOPE in allowed,
    )


def _number(request: Request, name: str) -> int | None:
    told = field(request.scope, _NAMES[name])
    if told is None:
        return None
    if not _NUMBER.fullmatch(told):
        raise malformed(f"{name} must be a whole number, none negative")
    return int(told)


def _scopes(request: Request) -> frozenset[str]:
    principal = caller_of(request.scope).principal
    assert principal is not None
    return principal.scopes
