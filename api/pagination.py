"""Page through a list by the key of the last item seen, which the caller carries unread."""

import base64
import binascii
import hashlib
from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Generic, TypeVar
from urllib.parse import urlencode

import orjson
from fastapi import Request
from pydantic import BaseModel, Field

from api.problems import Kind, Refused

MAX_PAGE = 200
"""Largest page: a version's JSON takes about a kilobyte, so a page stays below a megabyte."""
MAX_CURSOR_CHARS = 1024
_LIST_CHARS = 16
"""Characters of the hash that says which list a cursor belongs to: a slip is to be found out,
nothing is to be kept secret."""

BAD_CURSOR = Kind(
    "bad-cursor",
    HTTPStatus.BAD_REQUEST,
    "Cursor of another list",
    "The cursor is none, or belongs to another list or to other filters.",
)

Key = tuple[str | int, ...]
"""What the items of a list are ordered by: unique within the list."""

_Item = TypeVar("_Item")


class Page(BaseModel, Generic[_Item]):
    """One page of a list."""

    items: list[_Item]
    next_cursor: str | None = Field(
        default=None, description="Asks for the page after this one; null on the last page."
    )


def list_name(path: str, filters: Mapping[str, object]) -> str:
    """Return what tells the list below `path` with these filters from every other."""
    told = orjson.dumps([path, dict(filters)], option=orjson.OPT_SORT_KEYS, default=str)
    return hashlib.sha256(told).hexdigest()[:_LIST_CHARS]


def cursor_of(name: str, key: Key) -> str:
    """Return the cursor that asks for what comes after `key` in the list called `name`."""
    return base64.urlsafe_b64encode(orjson.dumps([name, *key])).rstrip(b"=").decode()


def key_of(name: str, cursor: str | None, kinds: Sequence[type]) -> Key | None:
    """Return the key that a cursor carries, None for the first page.

    `kinds` are the types of the key's parts. Raises `Refused` for what `cursor_of` did not make
    of a key of this list.
    """
    if cursor is None:
        return None
    try:
        raw = base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True)
        told = orjson.loads(raw)
    except (binascii.Error, ValueError) as error:
        raise _bad() from error
    if not isinstance(told, list) or [type(part) for part in told] != [str, *kinds]:
        raise _bad()
    found, *key = told
    if found != name or cursor_of(name, tuple(key)) != cursor:
        raise _bad()
    return tuple(key)


def next_link(request: Request, cursor: str | None) -> dict[str, str]:
    """Return the `Link` header that names the next page, if there is one."""
    if cursor is None:
        return {}
    others = [(name, value) for name, value in request.query_params.multi_items()]
    query = urlencode([*(pair for pair in others if pair[0] != "cursor"), ("cursor", cursor)])
    return {"Link": f'<{request.url.path}?{query}>; rel="next"'}


def _bad() -> Refused:
    return Refused(
        BAD_CURSOR,
        "the cursor is not one of this list with these filters: begin again without a cursor",
    )
