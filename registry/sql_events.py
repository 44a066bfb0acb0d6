"""Keep the history in a SQL database."""

from sqlalchemy import ColumnElement, Select, select, tuple_
from sqlalchemy.orm import Session

from registry.events import Event
from registry.pages import EventFilter
from registry.pool_tables import EventRow, PoolRow
from registry.sql_models import INTEGER_MAX, model_id
from registry.sql_pools import pool_id
from registry.tables import ModelRow

_BIGINT_MAX = 2**63 - 1
"""Largest number that a BIGINT column holds."""


class SqlEventRows:
    """The history within one session; see `registry.port.EventRows`."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def add_event(self, event: Event) -> Event:
        """Add a line to the history of a locked model or pool; return it with its place."""
        row = EventRow(
            at=event.at,
            by=event.by,
            kind=event.kind,
            revision=event.revision,
            model_id=None if event.model is None else model_id(event.model),
            pool_id=None if event.pool is None else pool_id(event.pool),
            version=event.version,
            alias=event.alias,
            from_version=event.from_version,
            server=event.server,
            why=event.why,
            change=dict(event.change),
        )
        self._session.add(row)
        self._session.flush()
        return row.value(event.model, event.pool)

    def events(
        self, wanted: EventFilter, *, after: int | None, limit: int | None
    ) -> tuple[Event, ...]:
        """Return events, newest first; `after` is an event's `id`."""
        if (wanted.version or 0) > INTEGER_MAX:
            return ()
        found = _filtered(wanted)
        if after is not None:
            last = self._session.get(EventRow, min(after, _BIGINT_MAX))
            if last is None:
                return ()
            found = found.where(tuple_(EventRow.at, EventRow.id) < tuple_(last.at, last.id))
        rows = self._session.execute(
            found.order_by(EventRow.at.desc(), EventRow.id.desc()).limit(limit)
        )
        return tuple(row.value(model, pool) for row, model, pool in rows)


def _filtered(wanted: EventFilter) -> Select[EventRow, str, str]:
    found = (
        select(EventRow, ModelRow.name, PoolRow.name)
        .join(ModelRow, ModelRow.id == EventRow.model_id, isouter=True)
        .join(PoolRow, PoolRow.id == EventRow.pool_id, isouter=True)
    )
    conditions: list[ColumnElement[bool]] = []
    if wanted.model is not None:
        conditions.append(EventRow.model_id == model_id(wanted.model))
    if wanted.pool is not None:
        conditions.append(EventRow.pool_id == pool_id(wanted.pool))
    for column in ("alias", "version", "by"):
        value = getattr(wanted, column)
        if value is not None:
            conditions.append(getattr(EventRow, column) == value)
    if wanted.kinds:
        conditions.append(EventRow.kind.in_(wanted.kinds))
    if wanted.since is not None:
        conditions.append(EventRow.at >= wanted.since)
    if wanted.until is not None:
        conditions.append(EventRow.at <= wanted.until)
    return found.where(*conditions)
