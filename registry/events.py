"""Say what can happen to models and pools: the registry's history."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any

from registry.domain import AliasMove


class EventKind(StrEnum):
    """What happened."""

    MODEL_CREATED = "model.created"
    MODEL_CHANGED = "model.changed"
    MODEL_DELETED = "model.deleted"
    VERSION_REGISTERED = "version.registered"
    VERSION_APPROVED = "version.approved"
    VERSION_DELETED = "version.deleted"
    ALIAS_MOVED = "alias.moved"
    ALIAS_DELETED = "alias.deleted"
    ALIAS_PROTECTED = "alias.protected"
    ALIAS_UNPROTECTED = "alias.unprotected"
    ROUTE_SET = "route.set"
    ROUTE_CLEARED = "route.cleared"
    POOL_CREATED = "pool.created"
    POOL_CHANGED = "pool.changed"
    POOL_DELETED = "pool.deleted"
    SERVER_ADDED = "server.added"
    SERVER_DRAINED = "server.drained"
    SERVER_REMOVED = "server.removed"
    VERSION_PLACED = "version.placed"
    VERSION_WITHDRAWN = "version.withdrawn"


ALIAS_KINDS = (EventKind.ALIAS_MOVED, EventKind.ALIAS_DELETED)
"""What changes where an alias points."""


@dataclass(frozen=True, slots=True)
class Event:
    """One line of the registry's history, never changed."""

    kind: EventKind
    """What happened."""
    at: datetime
    """When, in UTC; never before the event that the same model or pool had before."""
    by: str
    """Who did it."""
    revision: int
    """Counts the events of the pool, where one is named, else of the model, without a gap."""
    model: str | None = None
    """The model that it happened to."""
    pool: str | None = None
    """The pool that it happened to."""
    version: int | None = None
    """The version concerned: where an alias points since; None when it points nowhere."""
    alias: str | None = None
    """The alias concerned."""
    from_version: int | None = None
    """The version that an alias left; None when it was new."""
    server: str | None = None
    """gRPC address of the server concerned."""
    why: str = ""
    """The reason given; may be empty."""
    change: Mapping[str, Any] = field(default_factory=dict)
    """Each changed field with its value since."""
    id: int = 0
    """Its place in the whole history, given by the store."""


def moves_of(events: Iterable[Event]) -> tuple[AliasMove, ...]:
    """Return the moves of aliases among the events, in their order."""
    return tuple(
        AliasMove(
            event.model or "",
            event.alias or "",
            event.at,
            event.by,
            event.from_version,
            event.version or 0,
            event.why,
        )
        for event in events
        if event.kind is EventKind.ALIAS_MOVED
    )


def replay(events: Iterable[Event]) -> dict[tuple[str, str], int]:
    """Return where each alias points, by model and alias, after the events, oldest first."""
    present: dict[tuple[str, str], int] = {}
    for event in events:
        if event.kind not in ALIAS_KINDS or event.model is None or event.alias is None:
            continue
        if event.version is None:
            del present[event.model, event.alias]
        else:
            present[event.model, event.alias] = event.version
    return present
