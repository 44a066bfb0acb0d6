"""Lay out the tables of pools, and of the history."""

from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, ForeignKey, ForeignKeyConstraint, Index, String, Text, text
from sqlalchemy.orm import Mapped, mapped_column

from registry.events import Event, EventKind
from registry.pools import Placement, Pool, PoolServer, ServerState
from registry.tables import Base, Id, Json, ModelRow, Name, UtcDateTime, VersionRow

_URL_CHARS = 512
"""Longest address of a server: a host name has at most 253 characters."""


class PoolRow(Base):
    """A pool; its row lock orders every write to its servers and placements."""

    __tablename__ = "pools"

    id: Mapped[int] = mapped_column(Id, primary_key=True, autoincrement=True)
    name: Mapped[str] = mapped_column(Name, unique=True)
    description: Mapped[str] = mapped_column(Text)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    created_by: Mapped[str] = mapped_column(Text)
    revision: Mapped[int] = mapped_column(BigInteger)
    changed_at: Mapped[datetime] = mapped_column(UtcDateTime)
    deleted_at: Mapped[datetime | None] = mapped_column(UtcDateTime)

    def value(self) -> Pool:
        """Return what the row says."""
        return Pool(
            self.name,
            self.description,
            self.created_at,
            self.created_by,
            self.revision,
            self.changed_at,
        )


class ServerRow(Base):
    """A server of a pool; the index keeps one that is not removed in one pool."""

    __tablename__ = "servers"
    __table_args__ = (
        Index(
            "uq_servers_url",
            "url",
            unique=True,
            sqlite_where=text("state <> 'removed'"),
            postgresql_where=text("state <> 'removed'"),
        ),
    )

    pool_id: Mapped[int] = mapped_column(ForeignKey(PoolRow.id), primary_key=True)
    url: Mapped[str] = mapped_column(
        String(_URL_CHARS).with_variant(String(_URL_CHARS, collation="C"), "postgresql"),
        primary_key=True,
    )
    state: Mapped[str] = mapped_column(String(16))
    added_at: Mapped[datetime] = mapped_column(UtcDateTime)
    added_by: Mapped[str] = mapped_column(Text)
    revision: Mapped[int] = mapped_column(BigInteger)

    def value(self, pool: str) -> PoolServer:
        """Return what the row says of a server of `pool`."""
        state = ServerState(self.state)
        return PoolServer(pool, self.url, state, self.added_at, self.added_by, self.revision)


class PlacementRow(Base):
    """The wish that the servers of a pool have a version loaded."""

    __tablename__ = "placements"
    __table_args__ = (
        ForeignKeyConstraint(["model_id", "version"], [VersionRow.model_id, VersionRow.number]),
        Index(None, "model_id", "version"),
    )

    pool_id: Mapped[int] = mapped_column(ForeignKey(PoolRow.id), primary_key=True)
    model_id: Mapped[int] = mapped_column(Id, primary_key=True)
    version: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    placed_at: Mapped[datetime] = mapped_column(UtcDateTime)
    placed_by: Mapped[str] = mapped_column(Text)

    def value(self, pool: str, model: str) -> Placement:
        """Return what the row says of `pool` and `model`."""
        return Placement(pool, model, self.version, self.placed_at, self.placed_by)


class EventRow(Base):
    """One line of the history, never changed; each index gives a page of one filter in one seek.

    Pages go by time, then by id: times of one model do not fall, so that is the order in which
    things happened to it.
    """

    __tablename__ = "events"
    __table_args__ = (
        Index(None, "model_id", "at", "id"),
        Index(None, "model_id", "alias", "at", "id"),
        Index(None, "pool_id", "at", "id"),
        Index(None, "kind", "at", "id"),
        Index(None, "at", "id"),
    )

    id: Mapped[int] = mapped_column(Id, primary_key=True, autoincrement=True)
    at: Mapped[datetime] = mapped_column(UtcDateTime)
    by: Mapped[str] = mapped_column(Text)
    kind: Mapped[str] = mapped_column(String(32))
    revision: Mapped[int] = mapped_column(BigInteger)
    model_id: Mapped[int | None] = mapped_column(ForeignKey(ModelRow.id))
    pool_id: Mapped[int | None] = mapped_column(ForeignKey(PoolRow.id))
    version: Mapped[int | None]
    alias: Mapped[str | None] = mapped_column(Name)
    from_version: Mapped[int | None]
    server: Mapped[str | None] = mapped_column(Text)
    why: Mapped[str] = mapped_column(Text)
    change: Mapped[dict[str, Any]] = mapped_column(Json)

    def value(self, model: str | None, pool: str | None) -> Event:
        """Return what the row says of `model` and `pool`."""
        return Event(
            kind=EventKind(self.kind),
            at=self.at,
            by=self.by,
            revision=self.revision,
            model=model,
            pool=pool,
            version=self.version,
            alias=self.alias,
            from_version=self.from_version,
            server=self.server,
            why=self.why,
            change=self.change,
            id=self.id,
        )
