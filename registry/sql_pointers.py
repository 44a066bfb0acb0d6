"""Keep what points to models and versions in a SQL database."""

from sqlalchemy import Select, delete, select
from sqlalchemy.orm import Session

from registry.domain import Alias, Approval
from registry.sql_models import model_id, model_row
from registry.tables import AliasRow, ApprovalRow, ModelRow, UseRow
from registry.uses import Use


class SqlPointerRows:
    """Aliases, approvals and uses within one session; see `registry.port.ModelRows`."""

    def __init__(self, session: Session) -> None:
        self._session = session

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
                model_id=model_row(self._session, alias.model).id,
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
                model_id=model_row(self._session, approval.model).id,
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
        owner = model_row(self._session, use.model).id
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


def _aliases(model: str) -> Select[AliasRow]:
    return select(AliasRow).where(AliasRow.model_id == model_id(model))
