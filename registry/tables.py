"""Lay out the tables of models, their versions and what points to them."""

from collections.abc import Mapping
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
    text,
)
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import (
    DeclarativeBase,
    Mapped,
    attribute_keyed_dict,
    mapped_column,
    relationship,
)

from registry.domain import Alias, Approval, Model, ModelVersion, Signature, TensorSpec
from registry.tags import LONGEST_TAG_VALUE
from registry.uses import Use, UseKind

NAME_CHARS = 128
"""Longest name of a model, alias or pool, as `registry.domain.check_name` allows."""

Name = String(NAME_CHARS).with_variant(String(NAME_CHARS, collation="C"), "postgresql")
"""Sorted by its letters' numbers in every database, so that a prefix is a range of the index."""
Json = JSON().with_variant(JSONB(), "postgresql")
Id = BigInteger().with_variant(Integer(), "sqlite")
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


class TagRow(Base):
    """A tag of a model."""

    __tablename__ = "model_tags"
    __table_args__ = (Index(None, "key", "value", "model_id"),)

    model_id: Mapped[int] = mapped_column(ForeignKey("models.id"), primary_key=True)
    key: Mapped[str] = mapped_column(Name, primary_key=True)
    value: Mapped[str] = mapped_column(String(LONGEST_TAG_VALUE))


class ModelRow(Base):
    """A model; its row lock orders every write to its versions and aliases.

    The row of a deleted model stays: its name is taken up again with its numbers.
    """

    __tablename__ = "models"
    __table_args__ = (Index(None, "created_by", "name"),)

    id: Mapped[int] = mapped_column(Id, primary_key=True, autoincrement=True)
    name: Mapped[str] = mapped_column(Name, unique=True)
    description: Mapped[str] = mapped_column(Text)
    last_version: Mapped[int]
    """The highest number given so far: it stays when a version goes, so none is used twice."""
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    created_by: Mapped[str] = mapped_column(Text)
    protected: Mapped[list[str]] = mapped_column(Json)
    revision: Mapped[int] = mapped_column(BigInteger)
    changed_at: Mapped[datetime] = mapped_column(UtcDateTime)
    deleted_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    tags: Mapped[dict[str, TagRow]] = relationship(
        collection_class=attribute_keyed_dict("key"), cascade="all, delete-orphan", lazy="selectin"
    )

    def value(self) -> Model:
        """Return what the row says."""
        return Model(
            name=self.name,
            description=self.description,
            last_version=self.last_version,
            created_at=self.created_at,
            created_by=self.created_by,
            tags={key: self.tags[key].value for key in sorted(self.tags)},
            protected=tuple(self.protected),
            revision=self.revision,
            changed_at=self.changed_at,
        )

    def keep(self, model: Model) -> None:
        """Take over what may change of `model`."""
        self.description = model.description
        self.last_version = model.last_version
        self.protected = list(model.protected)
        self.revision = model.revision
        self.changed_at = model.changed_at or model.created_at
        for key in self.tags.keys() - model.tags.keys():
            del self.tags[key]
        for key, value in model.tags.items():
            self.tags.setdefault(key, TagRow(key=key)).value = value


class VersionTagRow(Base):
    """A tag of a version; the index gives a page of the versions that have it in one seek."""

    __tablename__ = "version_tags"
    __table_args__ = (
        ForeignKeyConstraint(["model_id", "number"], ["versions.model_id", "versions.number"]),
        Index(None, "model_id", "key", "value", "number"),
    )

    model_id: Mapped[int] = mapped_column(Id, primary_key=True)
    number: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    key: Mapped[str] = mapped_column(Name, primary_key=True)
    value: Mapped[str] = mapped_column(String(LONGEST_TAG_VALUE))


class VersionRow(Base):
    """An immutable version; the primary key gives a page of a model's versions in one seek.

    The row of a deleted version stays: the history points to it.
    """

    __tablename__ = "versions"
    __table_args__ = (
        Index(
            "uq_versions_model_id_content_sha256",
            "model_id",
            "content_sha256",
            unique=True,
            sqlite_where=text("deleted_at IS NULL"),
            postgresql_where=text("deleted_at IS NULL"),
        ),
        Index(None, "model_id", "created_by", "number"),
    )

    model_id: Mapped[int] = mapped_column(ForeignKey(ModelRow.id), primary_key=True)
    number: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    content_sha256: Mapped[str] = mapped_column(String(64))
    """What makes two registrations the same, see `registry.registration.content_digest`."""
    digest: Mapped[str] = mapped_column(String(96))
    served_name: Mapped[str] = mapped_column(Text)
    served_version: Mapped[str] = mapped_column(String(20))
    signature: Mapped[dict[str, Any]] = mapped_column(Json)
    columns: Mapped[dict[str, list[str]]] = mapped_column(Json)
    artifact: Mapped[str | None] = mapped_column(Text)
    description: Mapped[str] = mapped_column(Text)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    created_by: Mapped[str] = mapped_column(Text)
    deleted_at: Mapped[datetime | None] = mapped_column(UtcDateTime)

    def value(self, model: str, tags: Mapping[str, str]) -> ModelVersion:
        """Return what the row says of a version of `model` with these tags."""
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
            tags=tags,
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
        Index(None, "model_id", "version"),
    )

    model_id: Mapped[int] = mapped_column(Id, primary_key=True)
    name: Mapped[str] = mapped_column(Name, primary_key=True)
    version: Mapped[int]
    moved_at: Mapped[datetime] = mapped_column(UtcDateTime)
    revision: Mapped[int] = mapped_column(BigInteger)

    def value(self, model: str) -> Alias:
        """Return what the row says of an alias of `model`."""
        return Alias(model, self.name, self.version, self.moved_at, self.revision)


class ApprovalRow(Base):
    """The word of one person that a version may go live."""

    __tablename__ = "approvals"
    __table_args__ = (
        ForeignKeyConstraint(["model_id", "number"], [VersionRow.model_id, VersionRow.number]),
    )

    model_id: Mapped[int] = mapped_column(Id, primary_key=True)
    number: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    by: Mapped[str] = mapped_column(Text, primary_key=True)
    at: Mapped[datetime] = mapped_column(UtcDateTime)
    why: Mapped[str] = mapped_column(Text)

    def value(self, model: str) -> Approval:
        """Return what the row says of a version of `model`."""
        return Approval(model, self.number, self.by, self.at, self.why)


class UseRow(Base):
    """A job or route that needs a version, or the model as a whole, which version 0 stands for."""

    __tablename__ = "uses"
    __table_args__ = (Index(None, "model_id", "version"),)

    kind: Mapped[str] = mapped_column(String(16), primary_key=True)
    name: Mapped[str] = mapped_column(Text, primary_key=True)
    model_id: Mapped[int] = mapped_column(ForeignKey(ModelRow.id), primary_key=True)
    version: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)

    def value(self, model: str) -> Use:
        """Return what the row says of a use of `model`."""
        return Use(UseKind(self.kind), self.name, model, self.version or None)


def _signature(stored: dict[str, Any]) -> Signature:
    return Signature(
        inputs=tuple(_spec(spec) for spec in stored["inputs"]),
        outputs=tuple(_spec(spec) for spec in stored["outputs"]),
        max_batch_size=stored["max_batch_size"],
    )


def _spec(stored: dict[str, Any]) -> TensorSpec:
    return TensorSpec(stored["name"], stored["datatype"], tuple(stored["shape"]))
