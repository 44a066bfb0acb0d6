"""Keep models and their versions in a SQL database."""

from datetime import datetime

from sqlalchemy import ColumnElement, ScalarSelect, Select, delete, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import InstrumentedAttribute, Session

from registry.domain import Alias, Approval, Model, ModelVersion
from registry.pages import ModelFilter, TagFilter, VersionFilter
from registry.tables import (
    AliasRow,
    ApprovalRow,
    ModelRow,
    TagRow,
    UseRow,
    VersionRow,
    VersionTagRow,
)
from registry.uses import Use

INTEGER_MAX = 2**31 - 1
"""Largest number that an INTEGER column of PostgreSQL holds."""

_AFTER_ASCII = "\x7f"
"""Sorts after every character that a name may have."""


class SqlModelRows:
    """Models and versions within one session; see `registry.port.ModelRows`."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def model(self, name: str) -> Model | None:
        """Return the model unless it was deleted, or None."""
        row = self._session.scalar(select(ModelRow).where(*_is_live(name)))
        return row.value() if row else None

    def models(
        self, wanted: ModelFilter, *, after: str | None, limit: int | None
    ) -> tuple[Model, ...]:
        """Return models by name; `after` is a name."""
        found = select(ModelRow).where(ModelRow.deleted_at.is_(None))
        if wanted.prefix:
            found = found.where(*in_prefix(ModelRow.name, wanted.prefix))
        if wanted.created_by is not None:
            found = found.where(ModelRow.created_by == wanted.created_by)
        if wanted.tag is not None:
            found = found.join(TagRow, TagRow.model_id == ModelRow.id)
            found = found.where(*_has(TagRow.key, TagRow.value, wanted.tag))
        if after is not None:
            found = found.where(ModelRow.name > after)
        rows = self._session.scalars(found.order_by(ModelRow.name).limit(limit))
        return tuple(row.value() for row in rows)

    def lock_model(self, name: str) -> Model | None:
        """Return the model, or None, and keep other writers off it until the transaction ends."""
        row = self._locked_model(name)
        return row.value() if row and row.deleted_at is None else None

    def add_model(self, model: Model) -> tuple[Model, bool]:
        """Lock the model, added unless it exists; return it as it now is, and whether it was."""
        row = self._locked_model(model.name)
        if row is None:
            row, added = self._inserted_model(model)
        else:
            added = row.deleted_at is not None
        if added:
            row.description, row.created_by = model.description, model.created_by
            row.created_at, row.deleted_at = model.created_at, None
            row.tags = {k: TagRow(key=k, value=v) for k, v in model.tags.items()}
            self._session.flush()
        return row.value(), added

    def put_model(self, model: Model) -> None:
        """Keep what may change of a model."""
        self._model_row(model.name).keep(model)
        self._session.flush()

    def delete_model(self, name: str, at: datetime) -> None:
        """Take the model away; its numbers stay taken and its events stay readable."""
        row = self._model_row(name)
        row.deleted_at = at
        self._session.execute(
            update(VersionRow)
            .where(VersionRow.model_id == row.id, VersionRow.deleted_at.is_(None))
            .values(deleted_at=at)
        )

    def version(self, model: str, number: int) -> ModelVersion | None:
        """Return the version unless it was deleted, or None."""
        if number > INTEGER_MAX:
            return None
        row = self._session.scalar(_versions(model).where(VersionRow.number == number))
        return row.value(model) if row else None

    def versions(
        self, model: str, wanted: VersionFilter, *, after: int | None, limit: int | None
    ) -> tuple[ModelVersion, ...]:
        """Return the model's versions, newest first; `after` is a number."""
        found, number = _versions(model), VersionRow.number
        if wanted.created_by is not None:
            found = found.where(VersionRow.created_by == wanted.created_by)
        if wanted.tag is not None:
            number = VersionTagRow.number
            found = found.join(VersionRow.tags).where(
                VersionTagRow.model_id == model_id(model),
                *_has(VersionTagRow.key, VersionTagRow.value, wanted.tag),
            )
        if after is not None:
            found = found.where(number < min(after, INTEGER_MAX))
        rows = self._session.scalars(found.order_by(number.desc()).limit(limit))
        return tuple(row.value(model) for row in rows)

    def version_by_content(self, model: str, content: str) -> ModelVersion | None:
        """Return the version that was added under this content digest, or None."""
        row = self._session.scalar(_versions(model).where(VersionRow.content_sha256 == content))
        return row.value(model) if row else None

    def add_version(self, version: ModelVersion, *, content: str) -> None:
        """Add a version, with its `created_at`."""
        owner = self._model_row(version.name)
        self._session.add(VersionRow.of(version, model_id=owner.id, content=content))
        self._session.flush()

    def delete_version(self, model: str, number: int, at: datetime) -> None:
        """Take the version away; its number stays taken."""
        row = self._session.scalars(_versions(model).where(VersionRow.number == number)).one()
        row.deleted_at = at
        self._session.flush()

    def alias(self, model: str, name: str) -> Alias | None:
        """Return the alias, or None."""
        row = self._session.scalar(_aliases(model).where(AliasRow.name == name))
        return row.value(model) if row else None

    def aliases(
        self, model: str, *, after: str | None, limit: int | None, version: int | None = None
    ) -> tuple[Alias, ...]:
        """Return the model's aliases by name, or those of one version; `after` is a name."""
        found = _aliases(model)
        if version is not None:
            found = found.where(AliasRow.version == version)
        if after is not None:
            found = found.where(AliasRow.name > after)
        rows = self._session.scalars(found.order_by(AliasRow.name).limit(limit))
        return tuple(row.value(model) for row in rows)

    def put_alias(self, alias: Alias) -> None:
        """Add the alias, or move it."""
        self._session.merge(
            AliasRow(
                model_id=self._model_row(alias.model).id,
                name=alias.name,
                version=alias.version,
                moved_at=alias.moved_at,
                revision=alias.revision,
            )
        )
        self._session.flush()

    def delete_alias(self, model: str, name: str) -> None:
        """Take the alias away."""
        self._session.delete(
            self._session.scalars(_aliases(model).where(AliasRow.name == name)).one()
        )
        self._session.flush()

    def approvals(self, model: str, version: int) -> tuple[Approval, ...]:
        """Return who approved the version, by name."""
        rows = self._session.scalars(
            select(ApprovalRow)
            .where(ApprovalRow.model_id == model_id(model), ApprovalRow.number == version)
            .order_by(ApprovalRow.by)
        )
        return tuple(row.value(model) for row in rows)

    def add_approval(self, approval: Approval) -> None:
        """Add the word of somebody who has not approved the version yet."""
        self._session.add(
            ApprovalRow(
                model_id=self._model_row(approval.model).id,
                number=approval.version,
                by=approval.by,
                at=approval.at,
                why=approval.why,
            )
        )
        self._session.flush()

    def uses(self, model: str, version: int | None) -> tuple[Use, ...]:
        """Return what uses the version; for None, what uses the model or any of its versions."""
        found = select(UseRow).where(UseRow.model_id == model_id(model))
        if version is not None:
            found = found.where(UseRow.version == version)
        rows = self._session.scalars(found.order_by(UseRow.kind, UseRow.name, UseRow.version))
        return tuple(row.value(model) for row in rows)

    def add_use(self, use: Use) -> None:
        """Add a use; one that is there stays."""
        owner = self._model_row(use.model).id
        version = use.version or 0
        self._session.merge(UseRow(kind=use.kind, name=use.id, model_id=owner, version=version))
        self._session.flush()

    def remove_uses(self, kind: str, name: str) -> tuple[Use, ...]:
        """Take away everything that this user uses; return what that was."""
        mine = (UseRow.kind == kind, UseRow.name == name)
        rows = self._session.execute(
            select(UseRow, ModelRow.name)
            .join(ModelRow, ModelRow.id == UseRow.model_id)
            .where(*mine)
            .order_by(ModelRow.name, UseRow.version)
        )
        gone = tuple(row.value(model) for row, model in rows)
        self._session.execute(delete(UseRow).where(*mine))
        return gone

    def _locked_model(self, name: str) -> ModelRow | None:
        # NO KEY UPDATE: a row that points here is checked without waiting for the lock, so who
        # has locked a pool and writes of a model cannot wait for one who did it the other way.
        found = select(ModelRow).where(ModelRow.name == name).with_for_update(key_share=True)
        return self._session.scalar(found.execution_options(populate_existing=True))

    def _model_row(self, name: str) -> ModelRow:
        return self._session.scalars(select(ModelRow).where(ModelRow.name == name)).one()

    def _inserted_model(self, model: Model) -> tuple[ModelRow, bool]:
        row = ModelRow(
            name=model.name,
            description=model.description,
            last_version=model.last_version,
            created_at=model.created_at,
            created_by=model.created_by,
            protected=list(model.protected),
            revision=model.revision,
            changed_at=model.changed_at or model.created_at,
        )
        try:
            with self._session.begin_nested():
                self._session.add(row)
        except IntegrityError:
            # Another process added it between the look and the insert: its row counts.
            found = self._locked_model(model.name)
            assert found is not None
            return found, False
        return row, True


def model_id(name: str) -> ScalarSelect[int]:
    """Return the query for the number by which other tables name the model, a deleted one too."""
    return select(ModelRow.id).where(ModelRow.name == name).scalar_subquery()


def in_prefix(column: InstrumentedAttribute[str], prefix: str) -> tuple[ColumnElement[bool], ...]:
    """Return the conditions that a name begins so, as a range of the index."""
    return (column >= prefix, column < prefix + _AFTER_ASCII)


def _is_live(name: str) -> tuple[ColumnElement[bool], ...]:
    return (ModelRow.name == name, ModelRow.deleted_at.is_(None))


def _has(
    key: InstrumentedAttribute[str], value: InstrumentedAttribute[str], tag: TagFilter
) -> tuple[ColumnElement[bool], ...]:
    return (key == tag.key,) if tag.value is None else (key == tag.key, value == tag.value)


def _versions(model: str) -> Select[VersionRow]:
    return select(VersionRow).where(
        VersionRow.model_id == model_id(model), VersionRow.deleted_at.is_(None)
    )


def _aliases(model: str) -> Select[AliasRow]:
    return select(AliasRow).where(AliasRow.model_id == model_id(model))
