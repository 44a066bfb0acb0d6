"""Let a change happen only to the state that its caller has seen."""

import re
from http import HTTPStatus
from typing import Annotated, Any

from fastapi import Header

from api.problems import Kind, Refused

_TAG = re.compile(r'(W/)?"([!#-~]*)"')
_MAX_TAGS_CHARS = 1024

MISSING = Kind(
    "if-match-missing",
    HTTPStatus.PRECONDITION_REQUIRED,
    "If-Match is missing",
    "The change names no state that it applies to: read the resource, send its ETag as If-Match.",
)
CHANGED = Kind(
    "changed-meanwhile",
    HTTPStatus.PRECONDITION_FAILED,
    "Changed meanwhile",
    "If-Match names another state than the present one: read the resource again.",
)

NOT_MODIFIED: dict[int | str, dict[str, Any]] = {304: {"description": "The caller has it."}}
"""What OpenAPI says of the answer to a caller whose `If-None-Match` names the present state."""

IfMatch = Annotated[
    str | None,
    Header(
        max_length=_MAX_TAGS_CHARS,
        description="The `ETag` of the state that the change applies to; without it 428.",
    ),
]
IfNoneMatch = Annotated[
    str | None,
    Header(
        max_length=_MAX_TAGS_CHARS,
        description="The `ETag` of the state that the caller has; if it is the present one, 304.",
    ),
]

IF_NONE_MATCH: dict[str, Any] = {
    "parameters": [
        {
            "name": "if-none-match",
            "in": "header",
            "required": False,
            "schema": {"type": "string", "maxLength": _MAX_TAGS_CHARS, "title": "If-None-Match"},
            "description": "The `ETag` of the state that the caller has; if it is the present "
            "one, 304.",
        }
    ]
}
"""The `openapi_extra=` of a read that is hot: it looks at the header itself, because a declared
one takes the framework longer than the whole answer does."""


def etag(row_version: int | str) -> str:
    """Return the strong entity tag of a resource whose row has this version."""
    return f'"{row_version}"'


def require(if_match: str | None, present: str, what: str) -> None:
    """Raise `Refused` unless `if_match` names `present`, the tag of `what` as it is now.

    Tags compare strongly (RFC 9110, 13.1.1): a weak one never matches. `*` names any state.
    """
    if if_match is None:
        raise Refused(MISSING, f"send If-Match with the ETag of {what}, now {present}")
    if if_match.strip() == "*":
        return
    if present not in (f'"{tag}"' for weak, tag in _TAG.findall(if_match) if not weak):
        raise Refused(
            CHANGED,
            f"{what} is now {present}: read it again, then decide whether to change it",
            headers={"ETag": present},
        )


def seen(if_match: str | None, revision: int, what: str) -> int | None:
    """Return the revision that the change is for, None for any; raises `Refused` as `require`."""
    require(if_match, etag(revision), what)
    return None if if_match is not None and if_match.strip() == "*" else revision


def unchanged(if_none_match: str | None, present: str) -> bool:
    """Whether the caller has the present state; tags compare weakly (RFC 9110, 13.1.2)."""
    if if_none_match is None:
        return False
    if if_none_match.strip() == "*":
        return True
    return present in (f'"{tag}"' for _, tag in _TAG.findall(if_none_match))
