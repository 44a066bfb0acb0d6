"""Keep secrets out of what is written down."""

import re
from collections.abc import Mapping
from functools import lru_cache

MASK = "[secret]"
_NAMES = re.compile(
    r"authorization|cookie|passw|secret|credential|token(?!s\b)|api_?key|access_?key|private_?key",
    re.IGNORECASE,
)
"""Names whose values are never written, wherever in a name they are."""
_VALUES = re.compile(
    r"""
    \b(?:bearer|basic)\s+[\w.~+/=-]{8,}                # what an Authorization header holds
    | \beyJ[\w-]{8,}\.[\w-]*(?:\.[\w-]*)?              # a JWT, wherever it came from
    | (?<=://)[^/\s:@"\\]*:[^/\s@"\\]+(?=@)            # user and password of a URL
    | (?<=[?&])(?:access_token|token|key|password|secret|sig|signature|x-amz-[a-z-]+)=[^&\s"'\\]+
    """,
    re.IGNORECASE | re.VERBOSE,
)
_SIGNS = (
    "eyj",
    "bearer",
    "basic",
    "://",
    "token=",
    "key=",
    "password=",
    "secret=",
    "sig",
    "x-amz-",
)
"""One of these is in whatever `_VALUES` finds; most lines have none, which is seen sooner."""


def redacted_text(text: str) -> str:
    """Return the text with a mask in the place of what looks like a secret."""
    lowered = text.lower()
    for sign in _SIGNS:
        if sign in lowered:
            return _VALUES.sub(MASK, text)
    return text


def redacted_fields(fields: Mapping[str, object]) -> dict[str, object]:
    """Return the fields with a mask in the place of what is called like a secret, at any depth."""
    return {name: MASK if names_secret(name) else _inside(value) for name, value in fields.items()}


@lru_cache(maxsize=1024)
def names_secret(name: str) -> bool:
    """Say whether what is called so is a secret."""
    return _NAMES.search(name) is not None


def _inside(value: object) -> object:
    # Most values: to ask whether one is a mapping takes longer than all the rest.
    if value is None or isinstance(value, str | int | float):
        return value
    if isinstance(value, Mapping):
        return redacted_fields({str(name): each for name, each in value.items()})
    if isinstance(value, list | tuple):
        return [_inside(each) for each in value]
    return value
