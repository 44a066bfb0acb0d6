"""Hold the keys that tokens are verified with."""

from dataclasses import dataclass
from typing import Any, Literal, Protocol

Algorithm = Literal["HS256", "RS256", "ES256"]


@dataclass(frozen=True, slots=True)
class Key:
    """A key with the one algorithm that it may be used with."""

    algorithm: Algorithm
    """Pinned here; what a token names is only compared with it."""
    material: Any
    """Bytes for HS256, else a public key of `cryptography`."""


class KeysUnavailable(Exception):
    """No key is known yet: the place that publishes them has not answered."""


class Keys(Protocol):
    """Where the key of a token comes from."""

    async def find(self, kid: str | None) -> Key | None:
        """Return the key of that name, None for an unknown one; raises `KeysUnavailable`."""


class SharedSecret:
    """One key, which whoever makes tokens has as well; it has no name."""

    def __init__(self, secret: bytes) -> None:
        self._key = Key("HS256", secret)

    async def find(self, kid: str | None) -> Key | None:
        """Return the key to tokens that name none."""
        return self._key if kid is None else None
