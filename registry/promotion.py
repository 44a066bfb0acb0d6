"""Move an alias, through the gate where it is protected."""

from dataclasses import replace
from datetime import datetime

from registry.conflicts import (
    AliasMoved,
    AliasProtected,
    ApprovalMissing,
    ApproverNeeded,
    InUse,
    RouteInTheWay,
)
from registry.domain import Alias, Model, ModelVersion
from registry.events import EventKind
from registry.history import record
from registry.lookup import require_alias, require_version
from registry.port import Rows
from registry.routes import Route, misfit
from registry.uses import Referent


def move_alias(
    rows: Rows, model: Model, alias: str, number: int, *, by: str, why: str, now: datetime
) -> Alias:
    """Point the locked model's alias to the version, unless it does so already."""
    version = require_version(rows, model.name, number)
    before = rows.alias(model.name, alias)
    if before is not None and before.version == number:
        return before
    protected = alias in model.protected
    if protected:
        pass_gate(rows, version, alias, by=by)
    route = rows.route(model.name, alias)
    if route is not None:
        _require_route_fits(rows, route, version, protected=protected)
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


def protect_alias(
    rows: Rows, model: Model, alias: str, *, by: str, why: str, now: datetime
) -> Model:
    """Have the locked model's alias go to approved versions only; raises `RouteInTheWay`."""
    if alias in model.protected:
        return model
    route = rows.route(model.name, alias)
    if route is not None:
        stable = require_version(rows, model.name, require_alias(rows, model.name, alias).version)
        _require_route_fits(rows, route, stable, protected=True)
    told = replace(model, protected=tuple(sorted({*model.protected, alias})))
    return record(rows, told, EventKind.ALIAS_PROTECTED, by=by, now=now, why=why, alias=alias)


def unprotect_alias(
    rows: Rows, model: Model, alias: str, *, by: str, why: str, now: datetime
) -> Model:
    """Have the locked model's alias go to any version."""
    if alias not in model.protected:
        return model
    told = replace(model, protected=tuple(sorted({*model.protected} - {alias})))
    return record(rows, told, EventKind.ALIAS_UNPROTECTED, by=by, now=now, why=why, alias=alias)


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
    if not by or not is_approved(rows, version, by=by):
        raise ApprovalMissing(version.name, alias, version.version, by)


def is_approved(rows: Rows, version: ModelVersion, *, by: str) -> bool:
    """Say whether somebody approved the version who neither registered it nor is `by`."""
    approvers = {approval.by for approval in rows.approvals(version.name, version.version)}
    return bool(approvers - {by, version.created_by})


def require_approver(model: Model, alias: str, *, approver: bool) -> None:
    """Raise `ApproverNeeded` unless the alias is open to all, or whoever changes it may approve."""
    if alias in model.protected and not approver:
        raise ApproverNeeded(model.name, alias)


def _require_route_fits(rows: Rows, route: Route, stable: ModelVersion, *, protected: bool) -> None:
    """Raise `RouteInTheWay` unless the route may stay beside `stable` as the alias's version."""
    canaries = [share.version for share in route.canaries]
    for number in route.versions:
        if number == stable.version:
            continue
        other = require_version(rows, route.model, number)
        apart = misfit(stable, other)
        if apart is not None:
            raise RouteInTheWay(route.model, route.alias, apart)
        gated = protected and number in canaries
        if gated and not is_approved(rows, other, by=route.changed_by):
            who = f" and {route.changed_by}" if route.changed_by else ""
            reason = f"{other} lacks the approval of somebody other than who registered it{who}"
            raise RouteInTheWay(route.model, route.alias, reason)
