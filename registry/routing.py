"""Split the requests of an alias over versions, or end that."""

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any

from registry import promotion
from registry.catalog import utc_now
from registry.conflicts import RevisionChanged
from registry.domain import Model
from registry.errors import InvalidRegistration
from registry.events import EventKind
from registry.history import record
from registry.lookup import locked_model, require_alias, require_model, require_version
from registry.port import Rows, Store
from registry.routes import WHOLE, Route, Share, check_split, misfit
from registry.uses import Use, UseKind

_ALIKE = (
    "a route is between versions that callers cannot tell apart; give the other one an alias of "
    "its own"
)


class Routing:
    """The registry's rules for routes.

    Every change happens under the model's lock, raises the model's `revision` by one and leaves
    one event with that number. `by`, `why` and `if_revision` are as in `Catalog`; for a route that
    must not exist yet `if_revision` is 0.
    """

    def __init__(self, store: Store, *, now: Callable[[], datetime] = utc_now) -> None:
        self._store = store
        self._now = now

    def route(self, model: str, alias: str) -> Route | None:
        """Return the alias's route, or None; raises `UnknownModel`, `UnknownAlias`."""
        with self._store.reading() as rows:
            require_model(rows, model)
            require_alias(rows, model, alias)
            return rows.route(model, alias)

    def set_route(
        self,
        model: str,
        alias: str,
        *,
        canaries: Sequence[Share],
        shadow: Share | None,
        by: str = "",
        why: str = "",
        if_revision: int | None = None,
        approver: bool = True,
    ) -> Route:
        """Split the alias's requests, in place of the split that there is.

        Every version must take and give what the alias's version does, and as many rows at a
        time, so that no caller meets another model than they were told of. Canaries of a
        protected alias are changed as the alias is moved: by an `approver`, to approved versions.
        The versions cannot be deleted meanwhile, nor can the alias. Safe to repeat. Raises
        `UnknownModel`, `UnknownAlias`, `UnknownVersion`, `InvalidRegistration`,
        `ApproverNeeded`, `ApprovalMissing`, `RevisionChanged`.
        """
        ordered = check_split(canaries, shadow)
        with self._store.writing() as rows:
            found = locked_model(rows, model)
            stable = require_version(rows, model, require_alias(rows, model, alias).version)
            before = _compared(rows, model, alias, if_revision)
            if before and (before.canaries, before.shadow) == (ordered, shadow):
                return before
            for share in (*ordered, *([shadow] if shadow else [])):
                apart = misfit(stable, require_version(rows, model, share.version))
                if apart is not None:
                    raise InvalidRegistration(f"{apart}: {_ALIKE}")
            if ordered or (before and before.canaries):
                _pass_gate(rows, found, alias, ordered, by=by, approver=approver)
            change = {"canaries": list(map(_told, ordered)), "shadow": shadow and _told(shadow)}
            told = {"alias": alias, "why": why, "change": change}
            kind, now = EventKind.ROUTE_SET, self._now()
            changed = record(rows, found, kind, by=by, now=now, **told)
            at = changed.changed_at or now
            route = Route(model, alias, ordered, shadow, at, by, changed.revision)
            rows.put_route(route)
            _hold(rows, route)
            return route

    def clear_route(
        self,
        model: str,
        alias: str,
        *,
        by: str = "",
        why: str = "",
        if_revision: int | None = None,
        approver: bool = True,
    ) -> None:
        """Let the alias's version answer everything again; safe to repeat.

        Canaries of a protected alias are taken away by an `approver` only. Raises `UnknownModel`,
        `UnknownAlias`, `RevisionChanged`, `ApproverNeeded`.
        """
        with self._store.writing() as rows:
            found = locked_model(rows, model)
            require_alias(rows, model, alias)
            before = _compared(rows, model, alias, if_revision)
            if before is None:
                return
            if before.canaries:
                promotion.require_approver(found, alias, approver=approver)
            rows.delete_route(model, alias)
            rows.remove_uses(UseKind.ROUTE, str(before))
            kind, told = EventKind.ROUTE_CLEARED, {"alias": alias, "why": why}
            record(rows, found, kind, by=by, now=self._now(), **told)


def _compared(rows: Rows, model: str, alias: str, if_revision: int | None) -> Route | None:
    before = rows.route(model, alias)
    now = before.revision if before else 0
    if if_revision not in (None, now):
        raise RevisionChanged(f"the route of {model}@{alias}", if_revision, now)
    return before


def _pass_gate(
    rows: Rows, model: Model, alias: str, canaries: Sequence[Share], *, by: str, approver: bool
) -> None:
    if alias not in model.protected:
        return
    promotion.require_approver(model, alias, approver=approver)
    for share in canaries:
        version = require_version(rows, model.name, share.version)
        promotion.pass_gate(rows, version, alias, by=by)


def _hold(rows: Rows, route: Route) -> None:
    rows.remove_uses(UseKind.ROUTE, str(route))
    for number in route.versions:
        rows.add_use(Use(UseKind.ROUTE, str(route), route.model, number))


def _told(share: Share) -> dict[str, Any]:
    return {"version": share.version, "percent": share.share * 100 / WHOLE}
