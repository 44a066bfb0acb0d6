"""Keep models and their versions in a SQL database."""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import ColumnElement, ScalarSelect, Select, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import InstrumentedAttribute, Session

from registry.domain import Model, ModelVersion
from registry.pages import ModelFilter, TagFilter, VersionFilter
from registry.tables import (
    ModelRow,
    TagRow,
    VersionRow,
    VersionTagRow,
)

INTEGER_MAX = 2**31 - 1
"""Largest number that an INTEGER column of PostgreSQL holds."""

_ASKED_AT_ONCE = 500
"""Numbers in one question: SQLite takes some 32,000 parameters."""

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
        model_row(self._session, model.name).keep(model)
        self._session.flush()

    def delete_model(self, name: str, at: datetime) -> None:
        """Take the model away; its numbers stay taken and its events stay readable."""
        row = model_row(self._session, name)
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
        return self._one_version(_versions(model).where(VersionRow.number == number), model)

    def versions(
        self, model: str, wanted: VersionFilter, *, after: int | None, limit: int | None
    ) -> tuple[ModelVersion, ...]:
        """Return the model's versions, newest first; `after` is a number."""
        found, number = _versions(model), VersionRow.number
        if wanted.created_by is not None:
            found = found.where(VersionRow.created_by == wanted.created_by)
        if wanted.tag is not None:
            number = VersionTagRow.number
            found = found.join(VersionTagRow, VersionTagRow.number == VersionRow.number).where(
                VersionTagRow.model_id == model_id(model),
                *_has(VersionTagRow.key, VersionTagRow.value, wanted.tag),
            )
        if after is not None:
            found = found.where(number < min(after, INTEGER_MAX))
        rows = self._session.scalars(found.order_by(number.desc()).limit(limit)).all()
        tags = self._tags(rows)
        return tuple(row.value(model, tags.get(row.number, {})) for row in rows)

    def version_by_content(self, model: str, content: str) -> ModelVersion | None:
        """Return the version that was added under this content digest, or None."""
        return self._one_version(
            _versions(model).where(VersionRow.content_sha256 == content), model
        )

    def add_version(self, version: ModelVersion, *, content: str) -> None:
        """Add a version, with its `created_at`."""
        owner = model_row(self._session, version.name)
        self._session.add(VersionRow.of(version, model_id=owner.id, content=content))
        self._session.flush()
        self._session.add_all(
            VersionTagRow(model_id=owner.id, number=version.version, key=key, value=value)
            for key, value in version.tags.items()
        )
        self._session.flush()

    def delete_version(self, model: str, number: int, at: datetime) -> None:
        """Take the version away; its number stays taken."""
        row = self._session.scalars(_versions(model).where(VersionRow.number == number)).one()
        row.deleted_at = at
        self._session.flush()

    def _one_version(self, found: Select[VersionRow], model: str) -> ModelVersion | None:
        row = self._session.scalar(found)
        return row.value(model, self._tags([row]).get(row.number, {})) if row else None

    def _tags(self, versions: Sequence[VersionRow]) -> dict[int, dict[str, str]]:
        """Return the tags of some versions of one model, by number."""
        if not versions:
            return {}
        # Not a relationship: SQLite reads a whole index for pairs of model and number.
        numbers = [row.number for row in versions]
        found: dict[int, dict[str, str]] = {}
        for at in range(0, len(numbers), _ASKED_AT_ONCE):
            some = numbers[at : at + _ASKED_AT_ONCE]
            rows = self._session.scalars(
                select(VersionTagRow)
                .where(
                    VersionTagRow.model_id == versions[0].model_id,
                    VersionTagRow.number.in_(some),
                )
                .order_by(VersionTagRow.number, VersionTagRow.key)
            )
            for row in rows:
                found.setdefault(row.number, {})[row.key] = row.value
        return found

    def _locked_model(self, name: str) -> ModelRow | None:
        # NO KEY UPDATE: a row that points here is checked without waiting for the lock, so who
        # has locked a pool and writes of a model cannot wait for one who did it the other way.
        found = select(ModelRow).where(ModelRow.name == name).with_for_update(key_share=True)
        return self._session.scalar(found.execution_options(populate_existing=True))

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


def model_row(session: Session, name: str) -> ModelRow:
    """Return the row of a model that is there, a deleted one too."""
    return session.scalars(select(ModelRow).where(ModelRow.name == name)).one()


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
