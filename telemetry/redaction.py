"""Keep secrets out of what is written down."""

import re
from collections.abc import Mapping

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
    | (?<=://)[^/\s:@]*:[^/\s@]+(?=@)                  # user and password of a URL
    | (?<=[?&])(?:access_token|token|key|sig|signature|X-Amz-[A-Za-z-]+)=[^&\s"']+
    """,
    re.IGNORECASE | re.VERBOSE,
)


def redacted_text(text: str) -> str:
    """Return the text with a mask in the place of what looks like a secret."""
    return _VALUES.sub(MASK, text)


def redacted(name: str, value: object) -> object:
    """Return what may be written of a value that is called `name`."""
    if _NAMES.search(name):
        return MASK
    if isinstance(value, str):
        return redacted_text(value)
    if isinstance(value, Mapping):
        return {str(key): redacted(str(key), each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [redacted(name, each) for each in value]
    return value
