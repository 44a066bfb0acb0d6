"""Read a field of a request's head, add some to that of an answer."""

from functools import cache

from starlette.types import Message, Scope


def field(scope: Scope, name: bytes) -> str | None:
    """Return the first field of that name, which is in lower case; None where there is none.

    The framework's own mapping encodes the name for each look: a dozen are made at each request.
    """
    for key, value in scope["headers"]:
        if key == name:
            return str(value, "latin-1")
    return None


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
