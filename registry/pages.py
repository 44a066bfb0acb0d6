"""Say which part of a long list is wanted."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Generic, TypeVar

from registry.events import EventKind

T = TypeVar("T")
K = TypeVar("K")


@dataclass(frozen=True, slots=True)
class Page(Generic[T, K]):
    """A run of a list."""

    items: tuple[T, ...]
    """In the list's order."""
    next: K | None
    """What to give as `after` for the page that follows; None on the last page."""


@dataclass(frozen=True, slots=True)
class TagFilter:
    """A tag that must be there."""

    key: str
    """The tag's name."""
    value: str | None = None
    """The value it must have; None takes any."""


@dataclass(frozen=True, slots=True)
class ModelFilter:
    """Which models are wanted; what is not given takes all."""

    prefix: str = ""
    """How the name begins."""
    tag: TagFilter | None = None
    """A tag that it has."""
    created_by: str | None = None
    """Who registered it first."""


@dataclass(frozen=True, slots=True)
class VersionFilter:
    """Which versions of a model are wanted; what is not given takes all."""

    tag: TagFilter | None = None
    """A tag that it has."""
    created_by: str | None = None
    """Who registered it."""


@dataclass(frozen=True, slots=True)
class EventFilter:
    """Which events are wanted; what is not given takes all."""

    model: str | None = None
    """What happened to this model, placements of its versions included."""
    pool: str | None = None
    """What happened to this pool."""
    alias: str | None = None
    """What happened to aliases of this name."""
    version: int | None = None
    """What happened to versions of this number, moves to it included."""
    kinds: tuple[EventKind, ...] = ()
    """What happened."""
    by: str | None = None
    """Who did it."""
    since: datetime | None = None
    """The earliest moment, itself included."""
    until: datetime | None = None
    """The latest moment, itself included."""


def page_of(found: tuple[T, ...], limit: int | None, key: Callable[[T], K]) -> Page[T, K]:
    """Make a page of what was found when one more than `limit` was asked for."""
    if limit is None or len(found) <= limit:
        return Page(found, None)
    return Page(found[:limit], key(found[limit - 1]))
