"""Write down that something is not registered, and read it back, believing nothing."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from registry.errors import RegistryError, UnknownAlias, UnknownModel, UnknownPool, UnknownVersion
from registry.version_codec import Malformed, read_json, typed

ABSENT = (UnknownModel, UnknownVersion, UnknownAlias, UnknownPool)
"""The errors that say so."""


@dataclass(frozen=True, slots=True)
class Absent:
    """The answer that there is no such thing."""

    kind: type[RegistryError]
    """The error that says so."""
    arguments: tuple[Any, ...]
    """What it is made of: names, then what there is instead."""

    @classmethod
    def of(cls, error: RegistryError) -> "Absent":
        """Return what one of the errors in `ABSENT` says."""
        reduced = error.__reduce__()
        assert isinstance(reduced, tuple)  # a text would name a global
        return cls(type(error), tuple(reduced[1]))

    def error(self) -> RegistryError:
        """Return the error anew: one that was raised has a traceback that grows."""
        return self.kind(*self.arguments)


def encode_absent(absent: Absent) -> bytes:
    """Return what `decode_absent` reads."""
    told = {"absent": absent.kind.__name__, "arguments": absent.arguments}
    return json.dumps(told, separators=(",", ":")).encode()


def decode_absent(said: bytes) -> Absent:
    """Return what was written; raises `Malformed` for anything else."""
    given = read_json(said)
    kind = _KINDS.get(typed(given.get("absent"), str))
    arguments = typed(given.get("arguments"), list)
    if kind is None or len(arguments) != len(_TYPES[kind]):
        raise Malformed(f"no error {given.get('absent')!r:.40}")
    read = zip(_TYPES[kind], arguments, strict=True)
    return Absent(kind, tuple(check(argument) for check, argument in read))


def _text(said: object) -> str:
    return typed(said, str)


def _number(said: object) -> int:
    return typed(said, int)


def _texts(said: object) -> tuple[str, ...]:
    return tuple(typed(each, str) for each in typed(said, list))


def _numbers(said: object) -> tuple[int, ...]:
    return tuple(typed(each, int) for each in typed(said, list))


_KINDS: Mapping[str, type[RegistryError]] = {kind.__name__: kind for kind in ABSENT}
_TYPES: Mapping[type[RegistryError], tuple[Callable[[object], Any], ...]] = {
    UnknownModel: (_text, _texts),
    UnknownVersion: (_text, _number, _numbers),
    UnknownAlias: (_text, _text, _texts),
    UnknownPool: (_text, _texts),
}
