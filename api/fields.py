"""Say what callers may write in paths, queries and bodies."""

from datetime import UTC, datetime
from typing import Annotated

from fastapi import Path, Query
from pydantic import AfterValidator, AwareDatetime, Field

NAME_PATTERN = r"^[A-Za-z0-9_.-]{1,128}$"
"""What every V2 client sends unescaped in a URL path."""
_TEXT_PATTERN = r"^[^\x00]*$"
"""PostgreSQL keeps no NUL character."""
_MOST_TEXT_CHARS = 4000
_LAST_NUMBER = 2**31 - 1
"""Largest number of a version: an INTEGER of SQL."""
MOST_ADDRESS_CHARS = 255
MOST_TAGS = 64
_MOST_TAG_CHARS = 256

Name = Annotated[str, Field(pattern=NAME_PATTERN)]
Text = Annotated[str, Field(max_length=_MOST_TEXT_CHARS, pattern=_TEXT_PATTERN)]
Number = Annotated[int, Field(ge=1, le=_LAST_NUMBER)]
TagValue = Annotated[str, Field(max_length=_MOST_TAG_CHARS, pattern=_TEXT_PATTERN)]
Tags = Annotated[dict[Name, TagValue], Field(max_length=MOST_TAGS)]

Why = Annotated[
    str,
    Query(
        max_length=_MOST_TEXT_CHARS,
        pattern=_TEXT_PATTERN,
        description="The reason, for the history.",
    ),
]
ModelName = Annotated[
    str, Path(pattern=NAME_PATTERN, description="The model's name.", examples=["churn"])
]
AliasName = Annotated[
    str, Path(pattern=NAME_PATTERN, description="The alias.", examples=["champion"])
]
VersionNumber = Annotated[
    int, Path(ge=1, le=_LAST_NUMBER, description="The version's number.", examples=[1])
]
PoolName = Annotated[
    str, Path(pattern=NAME_PATTERN, description="The pool's name.", examples=["default"])
]
ServerAddress = Annotated[
    str,
    Path(
        max_length=MOST_ADDRESS_CHARS,
        pattern=_TEXT_PATTERN,
        description="The server's gRPC address, `HOST:PORT`.",
        examples=["127.0.0.1:8001"],
    ),
]
PrefixQuery = Annotated[
    str, Query(pattern=r"^[A-Za-z0-9_.-]{0,128}$", description="How the name begins.")
]
TagQuery = Annotated[
    str | None,
    Query(
        alias="tag",
        max_length=_MOST_TAG_CHARS + 129,
        pattern=_TEXT_PATTERN,
        description="A tag that must be there: `KEY`, or `KEY:VALUE`.",
    ),
]
WhoQuery = Annotated[
    str | None,
    Query(max_length=256, pattern=_TEXT_PATTERN, description="Who did it, by their subject."),
]


def _in_utc(moment: datetime) -> datetime:
    try:
        return moment.astimezone(UTC)
    except OverflowError as error:
        raise ValueError("is outside of the years 1 to 9999 in UTC") from error


Moment = Annotated[AwareDatetime, AfterValidator(_in_utc)]
"""A time with its zone, as RFC 3339 has it."""


def tag_of(text: str | None) -> tuple[str, str | None] | None:
    """Return key and value, None for any, of a tag as a query has it."""
    if text is None:
        return None
    key, colon, value = text.partition(":")
    return key, value if colon else None
