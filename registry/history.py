"""Write what happened to a model or a pool into its history."""

from dataclasses import replace
from datetime import datetime
from typing import Any

from registry.domain import Model
from registry.events import Event, EventKind
from registry.generations import pool_scope
from registry.pools import Pool
from registry.port import Rows


def record(
    rows: Rows, model: Model, kind: EventKind, *, by: str, now: datetime, **told: Any
) -> Model:
    """Add an event of the locked model and keep the model; return it at its new revision.

    A clock that was set back cannot bring the history out of order: an event is at the earliest
    when the one before it was.
    """
    at = max(now, model.changed_at or now)
    changed = replace(model, revision=model.revision + 1, changed_at=at)
    rows.put_model(changed)
    rows.touch(model.name)
    rows.add_event(
        Event(kind, at=at, by=by, revision=changed.revision, model=model.name, **told),
    )
    return changed


def record_pool(
    rows: Rows, pool: Pool, kind: EventKind, *, by: str, now: datetime, **told: Any
) -> Pool:
    """Add an event of the locked pool and keep the pool; return it at its new revision."""
    at = max(now, pool.changed_at or now)
    changed = replace(pool, revision=pool.revision + 1, changed_at=at)
    rows.put_pool(changed)
    rows.touch(pool_scope(pool.name))
    rows.add_event(Event(kind, at=at, by=by, revision=changed.revision, pool=pool.name, **told))
    return changed
