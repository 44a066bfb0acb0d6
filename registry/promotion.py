"""Move an alias, through the gate where it is protected."""

from datetime import datetime

from registry.conflicts import AliasMoved, AliasProtected, ApprovalMissing, InUse
from registry.domain import Alias, Model, ModelVersion
from registry.events import EventKind
from registry.history import record
from registry.lookup import require_alias, require_version
from registry.port import Rows
from registry.uses import Referent


def move_alias(
    rows: Rows, model: Model, alias: str, number: int, *, by: str, why: str, now: datetime
) -> Alias:
    """Point the locked model's alias to the version, unless it does so already."""
    version = require_version(rows, model.name, number)
    before = rows.alias(model.name, alias)
    if before is not None and before.version == number:
        return before
    if alias in model.protected:
        pass_gate(rows, version, alias, by=by)
    told = {"alias": alias, "version": number, "from_version": before and before.version}
    changed = record(rows, model, EventKind.ALIAS_MOVED, by=by, now=now, why=why, **told)
    moved = Alias(model.name, alias, number, changed.changed_at or now, changed.revision)
    rows.put_alias(moved)
    return moved


def delete_alias(
    rows: Rows, model: Model, alias: str, *, by: str, why: str, now: datetime
) -> Model:
    """Take the locked model's alias away; raises `UnknownAlias`, `AliasProtected`, `InUse`."""
    before = require_alias(rows, model.name, alias)
    if alias in model.protected:
        raise AliasProtected(model.name, alias)
    route = rows.route(model.name, alias)
    if route is not None:
        raise InUse(str(before), [Referent("route", str(route))])
    rows.delete_alias(model.name, alias)
    told = {"alias": alias, "from_version": before.version}
    return record(rows, model, EventKind.ALIAS_DELETED, by=by, now=now, why=why, **told)


def compare(
    rows: Rows, model: str, alias: str, *, from_version: int | None, if_revision: int | None
) -> None:
    """Raise `AliasMoved` unless the alias is where the caller believes, see `Catalog.set_alias`."""
    if from_version is None and if_revision is None:
        return
    now = rows.alias(model, alias)
    if from_version not in (None, now.version if now else 0):
        raise AliasMoved(model, alias, now)
    if if_revision not in (None, now.revision if now else 0):
        raise AliasMoved(model, alias, now)


def pass_gate(rows: Rows, version: ModelVersion, alias: str, *, by: str) -> None:
    """Raise `ApprovalMissing` unless the version may answer for a protected alias."""
    others = {approval.by for approval in rows.approvals(version.name, version.version)}
    if not by or not others - {by, version.created_by}:
        raise ApprovalMissing(version.name, alias, version.version, by)
