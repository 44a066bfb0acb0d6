"""Tell one state of a part of the registry from every other one that it has had."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

EVERYTHING = "*"
"""The scope that every change belongs to: lists of models, for example, speak of it."""


def pool_scope(name: str) -> str:
    """Return the scope of a pool; that of a model is its name, which has no colon."""
    return f"pool:{name}"


@dataclass(frozen=True, slots=True)
class Generation:
    """A state of a scope: a model with all that belongs to it, a pool, or `EVERYTHING`."""

    number: int
    """Counts the transactions that changed the scope."""
    mark: str
    """Drawn by chance in each of them, hexadecimal: two databases that count alike, or one that
    was restored from a copy, are told apart by it. Empty before the first change."""


UNTOUCHED = Generation(0, "")
"""The state of a scope that nothing was ever written of."""

Advanced = Mapping[str, Generation]
"""Scopes that a transaction changed, each with its new generation."""


class Audience(Protocol):
    """Who keeps copies of what the registry says, and has to know when they are out of date.

    A store calls it in the thread of the transaction. What it raises before the commit ends the
    transaction.
    """

    def before(self, advanced: Advanced) -> None:
        """Hear which generations there will be if the commit that follows succeeds."""

    def after(self, advanced: Advanced) -> None:
        """Hear that they are there, before whoever changed something is told so."""


class Nobody:
    """An audience for processes that keep no copies."""

    def before(self, advanced: Advanced) -> None:
        """Nothing depends on it."""

    def after(self, advanced: Advanced) -> None:
        """Nothing depends on it."""
