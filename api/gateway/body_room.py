"""Bound the bytes of all bodies that are held at a time."""

from starlette.types import Scope

from api.gateway.refusals import OVER_CAPACITY
from api.problems import Refused

_KEY = "nightshift.held"


class BodyRoom:
    """Room for the bodies of requests that are under way; not for use by several threads."""

    def __init__(self, max_bytes: int) -> None:
        self._max_bytes = max_bytes
        self._held = 0

    def check(self, size: int) -> None:
        """Raise `Refused` when so many bytes more have no room now."""
        if self._held + size > self._max_bytes:
            raise Refused(
                OVER_CAPACITY,
                f"bodies of {self._held} bytes are under way, of {self._max_bytes} at most: "
                "send it again",
                headers={"Retry-After": "1"},
            )

    def take(self, size: int) -> None:
        """Take room; raises `Refused` when there is too little."""
        self.check(size)
        self._held += size

    def give_back(self, size: int) -> None:
        """Give room back."""
        self._held -= size


class Held:
    """What one request holds of the room, until it is answered."""

    def __init__(self, room: BodyRoom) -> None:
        self._room = room
        self._size = 0

    def add(self, size: int) -> None:
        """Hold so many bytes more; raises `Refused` when there is too little room."""
        self._room.take(size)
        self._size += size

    def end(self) -> None:
        """Give everything back."""
        self._room.give_back(self._size)
        self._size = 0


def set_held(scope: Scope, held: Held) -> None:
    """Remember what the request of `scope` holds."""
    scope[_KEY] = held


def hold_more(scope: Scope, size: int) -> None:
    """Count what a body grows by when its coding is undone; raises `Refused` without room."""
    held = scope[_KEY]
    assert isinstance(held, Held)
    held.add(size)
