"""Turn the moves of the first schema into events of the second, and back."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from registry.migrations.types import Id, Json, Moment

_models = sa.table(
    "models",
    *(sa.column(name, Id) for name in ("id", "revision")),
    sa.column("created_at", Moment),
    sa.column("changed_at", Moment),
    sa.column("deleted_at", Moment),
    sa.column("created_by", sa.Text),
    sa.column("protected", Json),
)
_versions = sa.table(
    "versions",
    *(sa.column(name, Id) for name in ("model_id", "number")),
    sa.column("created_at", Moment),
    sa.column("deleted_at", Moment),
    sa.column("created_by", sa.Text),
)
_aliases = sa.table(
    "aliases",
    *(sa.column(name, Id) for name in ("model_id", "revision")),
    sa.column("name", sa.Text),
)
_moves = sa.table(
    "alias_moves",
    *(sa.column(name, Id) for name in ("id", "model_id", "from_version", "to_version")),
    *(sa.column(name, sa.Text) for name in ("alias", "by", "why")),
    sa.column("at", Moment),
)
_events = sa.table(
    "events",
    *(sa.column(name, Id) for name in ("id", "model_id", "from_version", "version", "revision")),
    *(sa.column(name, sa.Text) for name in ("alias", "by", "why", "kind")),
    sa.column("at", Moment),
    sa.column("change", Json),
)


@dataclass(frozen=True, slots=True)
class _Past:
    """Something that the first schema says of a model's past."""

    at: datetime
    """When it happened."""
    order: int
    """What comes first of two things of one moment: the model, its versions, aliases' moves."""
    event: dict[str, Any]
    """The event's columns, but for its time and number."""


def write_events(connection: sa.Connection) -> None:
    """Write what is known of each model's past, and count it."""
    written: list[tuple[datetime, dict[str, Any]]] = []
    for model in connection.execute(sa.select(_models)).all():
        past = _past(connection, model)
        ordered = sorted(past, key=lambda each: (each.at, each.order))
        lines = [each.event | {"at": each.at} for each in ordered]
        for revision, line in enumerate(lines, start=1):
            written.append((line["at"], line | {"revision": revision}))
        _count(connection, model.id, lines)
    written.sort(key=lambda line: line[0])
    if written:
        connection.execute(sa.insert(_events), [line for _, line in written])


def moves_of_events(connection: sa.Connection) -> None:
    """Write the moves between versions that are still there; other events are lost.

    Each begins where the one before it that could be kept has ended.
    """
    there = {
        (version.model_id, version.number)
        for version in connection.execute(sa.select(_versions))
        if version.deleted_at is None
    }
    moves = sa.select(_events).where(_events.c.kind == "alias.moved").order_by(_events.c.id)
    pointed: dict[tuple[int, str], int] = {}
    kept: list[dict[str, Any]] = []
    for move in connection.execute(moves):
        alias = (move.model_id, move.alias)
        before = pointed.get(alias)
        if before == move.version or (move.model_id, move.version) not in there:
            continue
        pointed[alias] = move.version
        told = {name: getattr(move, name) for name in ("model_id", "alias", "at", "by", "why")}
        kept.append(told | {"from_version": before, "to_version": move.version})
    if kept:
        connection.execute(sa.insert(_moves), kept)


def _past(connection: sa.Connection, model: sa.Row[Any]) -> list[_Past]:
    mine = sa.select(_versions).where(_versions.c.model_id == model.id).order_by(_versions.c.number)
    versions = connection.execute(mine).all()
    founder = versions[0].created_by if versions else ""
    past = [_Past(model.created_at, 0, _event(model.id, "model.created", by=founder))]
    past += [
        _Past(
            max(version.created_at, model.created_at),
            1,
            _event(model.id, "version.registered", by=version.created_by, version=version.number),
        )
        for version in versions
    ]
    latest = model.created_at
    pointed: dict[str, int] = {}
    moves = sa.select(_moves).where(_moves.c.model_id == model.id).order_by(_moves.c.id)
    for move in connection.execute(moves):
        # A clock that was set back must not change the order of the moves.
        latest = max(latest, move.at)
        told = {"alias": move.alias, "version": move.to_version, "from_version": move.from_version}
        event = _event(model.id, "alias.moved", by=move.by, why=move.why, **told)
        past.append(_Past(latest, 2, event))
        pointed[move.alias] = move.to_version
    there = sa.select(_aliases.c.name).where(_aliases.c.model_id == model.id)
    for alias in sorted(pointed.keys() - set(connection.scalars(there))):
        # Only a later schema, from which this database once came back, lets aliases go.
        told = {"alias": alias, "from_version": pointed[alias]}
        past.append(_Past(latest, 3, _event(model.id, "alias.deleted", by="", **told)))
    return past


def _event(model_id: int, kind: str, **told: Any) -> dict[str, Any]:
    nothing: dict[str, Any] = {
        "version": None,
        "alias": None,
        "from_version": None,
        "why": "",
        "change": {},
    }
    return nothing | {"model_id": model_id, "kind": kind} | told


def _count(connection: sa.Connection, model_id: int, lines: list[dict[str, Any]]) -> None:
    connection.execute(
        sa.update(_models)
        .where(_models.c.id == model_id)
        .values(
            revision=len(lines),
            changed_at=lines[-1]["at"],
            created_by=lines[0]["by"],
            protected=[],
        )
    )
    last = {line["alias"]: n for n, line in enumerate(lines, start=1) if line["alias"]}
    for alias, revision in last.items():
        connection.execute(
            sa.update(_aliases)
            .where(_aliases.c.model_id == model_id, _aliases.c.name == alias)
            .values(revision=revision)
        )
