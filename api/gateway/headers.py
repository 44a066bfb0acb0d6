"""Add headers to an answer that is being sent."""

from functools import cache

from starlette.types import Message


def add(message: Message, **fields: str) -> None:
    """Add fields, named with `_` for `-`, to the start of an answer that does not have them.

    ASGI wants names in lower case, and each middleware adds a few: going through those that are
    there for each would cost more than everything else that it does.
    """
    added = [(_wire_name(name), value.encode("latin-1")) for name, value in fields.items()]
    message["headers"] = [*message.get("headers", ()), *added]


@cache
def _wire_name(name: str) -> bytes:
    """Return what the program calls a field as it is sent."""
    return name.replace("_", "-").encode("ascii")
