"""Judge what a token claims, after its signature was verified."""

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass

from api.gateway.expected import Expected
from api.gateway.principal import Principal

_LONGEST_SUBJECT = 256
_LATEST_TIME = 2**53
"""Above this a JSON number need not mean the same to everyone."""


class TokenRefused(Exception):
    """A token that is not accepted. The words are for its sender: ASCII, nothing of its content."""


def parsed(text: bytes, part: str) -> dict[str, object]:
    """Parse a JSON object strictly; raises `TokenRefused`.

    A name that comes twice, `NaN` or `Infinity` can mean two things to two readers.
    """
    try:
        found = json.loads(text, object_pairs_hook=_unique, parse_constant=_refuse)
    except (ValueError, RecursionError) as error:
        raise TokenRefused(f"its {part} is not a JSON object") from error
    if not isinstance(found, dict):
        raise TokenRefused(f"its {part} is not a JSON object")
    return found


@dataclass(frozen=True, slots=True)
class Accepted:
    """What claims came to that are accepted now."""

    principal: Principal
    """Who they are about."""
    ends_at: float
    """POSIX time from which they are accepted no more."""


def accepted(claims: Mapping[str, object], expected: Expected, *, now: float) -> Accepted:
    """Return who the claims are about; raises `TokenRefused`.

    `now` is POSIX time. Required are `exp`, `iss`, `aud` and `sub` (RFC 8725, sections 3.8 to 3.10
    and 3.12); `nbf` and `iat` count when they are there.
    """
    _judge_times(claims, expected.leeway_s, now)
    if claims.get("iss") != expected.issuer:
        raise TokenRefused("it is not from the issuer that is trusted here")
    if expected.audience not in _audiences(claims.get("aud")):
        raise TokenRefused("it is not for this audience")
    subject = claims.get("sub")
    if not isinstance(subject, str) or not 0 < len(subject) <= _LONGEST_SUBJECT:
        raise TokenRefused(f"sub must be a text of 1 to {_LONGEST_SUBJECT} characters")
    if not subject.isprintable():
        raise TokenRefused("sub must be printable")
    return Accepted(Principal(subject, _scopes(claims)), _time(claims, "exp") + expected.leeway_s)


def _judge_times(claims: Mapping[str, object], leeway_s: float, now: float) -> None:
    if "exp" not in claims:
        raise TokenRefused("it has no exp")
    if _time(claims, "exp") <= now - leeway_s:
        raise TokenRefused("it has expired")
    for name in ("nbf", "iat"):
        if name in claims and _time(claims, name) > now + leeway_s:
            raise TokenRefused(f"its {name} is in the future")


def _time(claims: Mapping[str, object], name: str) -> float:
    value = claims[name]
    # bool is an int to Python, not to JSON.
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise TokenRefused(f"its {name} is not a number")
    if not math.isfinite(value) or not 0 <= value <= _LATEST_TIME:
        raise TokenRefused(f"its {name} is not a time")
    return value


def _audiences(claim: object) -> list[object]:
    return claim if isinstance(claim, list) else [claim]


def _scopes(claims: Mapping[str, object]) -> frozenset[str]:
    """Read `scope`, a text (RFC 8693, section 4.2), else `scp`, a list or a text."""
    claim = claims.get("scope", claims.get("scp", ""))
    if isinstance(claim, str):
        return frozenset(claim.split(" ")) - {""}
    if isinstance(claim, list) and all(isinstance(each, str) for each in claim):
        return frozenset(claim)
    raise TokenRefused("its scopes are neither a text nor a list of texts")


def _unique(pairs: list[tuple[str, object]]) -> dict[str, object]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a name comes twice")
    return found


def _refuse(constant: str) -> object:
    raise ValueError(f"{constant} is not JSON")
