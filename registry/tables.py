"""Lay out the registry's tables."""

from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import (
    JSON,
    BigInteger,
    DateTime,
    Dialect,
    ForeignKey,
    ForeignKeyConstraint,
    Index,
    Integer,
    MetaData,
    String,
    Text,
    TypeDecorator,
    UniqueConstraint,
)
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from registry.domain import Alias, AliasMove, Model, ModelVersion, Signature, TensorSpec

_NAME_CHARS = 128
"""Longest name of a model or alias, as `registry.domain.check_name` allows."""

_Json = JSON().with_variant(JSONB(), "postgresql")
_Id = BigInteger().with_variant(Integer(), "sqlite")
"""SQLite numbers rows by itself in a column of type INTEGER only."""


class UtcDateTime(TypeDecorator[datetime]):
    """A moment in UTC; SQLite keeps no zone, so it is taken off and put back."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Refuse a time without a zone: nobody could say later which moment it was."""
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError(f"time {value} has no zone: give it one, for example UTC")
        return value.astimezone(UTC)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Return the moment with its zone."""
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


class Base(DeclarativeBase):
    """The registry's tables; constraints are named so that a migration can change them."""

    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(table_name)s_%(column_0_N_name)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "ck": "ck_%(table_name)s_%(constraint_name)s",
            "fk": "fk_%(table_name)s_%(column_0_N_name)s",
            "pk": "pk_%(table_name)s",
        }
    )


class ModelRow(Base):
    """A model; its row lock orders every write to its versions and aliases."""

    __tablename__ = "models"

    id: Mapped[int] = mapped_column(_Id, primary_key=True, autoincrement=True)
    name: Mapped[str] = mapped_column(String(_NAME_CHARS), unique=True)
    description: Mapped[str] = mapped_column(Text)
    last_version: Mapped[int]
    """The highest number given so far: it stays when a version goes, so none is used twice."""
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)

    def value(self) -> Model:
        """Return what the row says."""
        return Model(self.name, self.description, self.last_version, self.created_at)


class VersionRow(Base):
    """An immutable version; the primary key gives a page of a model's versions in one seek."""

    __tablename__ = "versions"
    __table_args__ = (UniqueConstraint("model_id", "content_sha256"),)

    model_id: Mapped[int] = mapped_column(ForeignKey(ModelRow.id), primary_key=True)
    number: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    content_sha256: Mapped[str] = mapped_column(String(64))
    """What makes two registrations the same version, see `registry.catalog.content_digest`."""
    digest: Mapped[str] = mapped_column(String(96))
    served_name: Mapped[str] = mapped_column(Text)
    served_version: Mapped[str] = mapped_column(String(20))
    signature: Mapped[dict[str, Any]] = mapped_column(_Json)
    columns: Mapped[dict[str, list[str]]] = mapped_column(_Json)
    artifact: Mapped[str | None] = mapped_column(Text)
    description: Mapped[str] = mapped_column(Text)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    created_by: Mapped[str] = mapped_column(Text)

    def value(self, model: str) -> ModelVersion:
        """Return what the row says of a version of `model`."""
        return ModelVersion(
            name=model,
            version=self.number,
            signature=_signature(self.signature),
            digest=self.digest,
            served_name=self.served_name,
            served_version=self.served_version,
            columns={name: tuple(columns) for name, columns in self.columns.items()},
            artifact=self.artifact,
            description=self.description,
            created_at=self.created_at,
            created_by=self.created_by,
        )

    @classmethod
    def of(cls, version: ModelVersion, *, model_id: int, content: str) -> "VersionRow":
        """Return the row that keeps `version`."""
        return cls(
            model_id=model_id,
            number=version.version,
            content_sha256=content,
            digest=version.digest,
            served_name=version.served_name,
            served_version=version.served_version,
            signature=asdict(version.signature),
            columns={name: list(columns) for name, columns in version.columns.items()},
            artifact=version.artifact,
            description=version.description,
            created_at=version.created_at,
            created_by=version.created_by,
        )


class AliasRow(Base):
    """Where an alias points now."""

    __tablename__ = "aliases"
    __table_args__ = (
        ForeignKeyConstraint(["model_id", "version"], [VersionRow.model_id, VersionRow.number]),
    )

    model_id: Mapped[int] = mapped_column(_Id, primary_key=True)
    name: Mapped[str] = mapped_column(String(_NAME_CHARS), primary_key=True)
    version: Mapped[int]
    moved_at: Mapped[datetime] = mapped_column(UtcDateTime)

    def value(self, model: str) -> Alias:
        """Return what the row says of an alias of `model`."""
        return Alias(model, self.name, self.version, self.moved_at)


class AliasMoveRow(Base):
    """One line of an alias's history, never changed."""

    __tablename__ = "alias_moves"
    __table_args__ = (
        ForeignKeyConstraint(["model_id", "to_version"], [VersionRow.model_id, VersionRow.number]),
        ForeignKeyConstraint(
            ["model_id", "from_version"], [VersionRow.model_id, VersionRow.number]
        ),
        Index(None, "model_id", "alias", "id"),
    )

    id: Mapped[int] = mapped_column(_Id, primary_key=True, autoincrement=True)
    model_id: Mapped[int] = mapped_column(_Id)
    alias: Mapped[str] = mapped_column(String(_NAME_CHARS))
    at: Mapped[datetime] = mapped_column(UtcDateTime)
    by: Mapped[str] = mapped_column(Text)
    from_version: Mapped[int | None]
    to_version: Mapped[int]
    why: Mapped[str] = mapped_column(Text)

    def value(self, model: str) -> AliasMove:
        """Return what the row says of a move within `model`."""
        return AliasMove(
            model, self.alias, self.at, self.by, self.from_version, self.to_version, self.why
        )


def _signature(stored: dict[str, Any]) -> Signature:
    return Signature(
        inputs=tuple(_spec(spec) for spec in stored["inputs"]),
        outputs=tuple(_spec(spec) for spec in stored["outputs"]),
        max_batch_size=stored["max_batch_size"],
    )


def _spec(stored: dict[str, Any]) -> TensorSpec:
    return TensorSpec(stored["name"], stored["datatype"], tuple(stored["shape"]))
