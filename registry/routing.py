"""Split the requests of an alias over versions, or end that."""

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from datetime import datetime
from typing import Any

from registry import promotion
from registry.catalog import utc_now
from registry.conflicts import RevisionChanged
from registry.domain import ModelVersion
from registry.errors import InvalidRegistration
from registry.events import EventKind
from registry.history import record
from registry.lookup import locked_model, require_alias, require_model, require_version
from registry.port import Rows, Store
from registry.routes import WHOLE, Route, Share, check_split
from registry.telling import telling
from registry.uses import Use, UseKind


class Routing:
    """The registry's rules for routes.

    Every change happens under the model's lock, raises the model's `revision` by one and leaves
    one event with that number. `by`, `why` and `if_revision` are as in `Catalog`; for a route that
    must not exist yet `if_revision` is 0.
    """

    def __init__(
        self,
        store: Store,
        *,
        now: Callable[[], datetime] = utc_now,
        changed: Callable[[str], None] = lambda model: None,
    ) -> None:
        """Change what is in `store`; `changed` is called with the model after each commit."""
        self._store = store
        self._now = now
        self._changed = changed

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
    ) -> Route:
        """Split the alias's requests, in place of the split that there is.

        Every version must take and give what the alias's version does, so that no caller meets
        another model than they were told of; a canary of a protected alias must be approved as if
        the alias were moved to it. The versions cannot be deleted meanwhile, nor can the alias.
        Safe to repeat. Raises `UnknownModel`, `UnknownAlias`, `UnknownVersion`,
        `InvalidRegistration`, `ApprovalMissing`, `RevisionChanged`.
        """
        ordered = check_split(canaries, shadow)
        with self._writing(model) as rows:
            found = locked_model(rows, model)
            stable = require_version(rows, model, require_alias(rows, model, alias).version)
            before = _compared(rows, model, alias, if_revision)
            if before and (before.canaries, before.shadow) == (ordered, shadow):
                return before
            for share in (*ordered, *([shadow] if shadow else [])):
                _require_alike(stable, require_version(rows, model, share.version))
            if alias in found.protected:
                for share in ordered:
                    version = require_version(rows, model, share.version)
                    promotion.pass_gate(rows, version, alias, by=by)
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
    ) -> None:
        """Let the alias's version answer everything again; safe to repeat.

        Raises `UnknownModel`, `UnknownAlias`, `RevisionChanged`.
        """
        with self._writing(model) as rows:
            found = locked_model(rows, model)
            require_alias(rows, model, alias)
            before = _compared(rows, model, alias, if_revision)
            if before is None:
                return
            rows.delete_route(model, alias)
            rows.remove_uses(UseKind.ROUTE, str(before))
            kind, told = EventKind.ROUTE_CLEARED, {"alias": alias, "why": why}
            record(rows, found, kind, by=by, now=self._now(), **told)

    def _writing(self, model: str) -> AbstractContextManager[Rows]:
        return telling(self._store, self._changed, model)


def _compared(rows: Rows, model: str, alias: str, if_revision: int | None) -> Route | None:
    before = rows.route(model, alias)
    now = before.revision if before else 0
    if if_revision not in (None, now):
        raise RevisionChanged(f"the route of {model}@{alias}", if_revision, now)
    return before


def _require_alike(stable: ModelVersion, other: ModelVersion) -> None:
    mine, theirs = stable.signature, other.signature
    if (mine.inputs, mine.outputs) != (theirs.inputs, theirs.outputs):
        raise InvalidRegistration(
            f"{other} takes or gives something else than {stable}: a route is between versions "
            "that callers cannot tell apart; give the other one an alias of its own"
        )


def _hold(rows: Rows, route: Route) -> None:
    rows.remove_uses(UseKind.ROUTE, str(route))
    for number in route.versions:
        rows.add_use(Use(UseKind.ROUTE, str(route), route.model, number))


def _told(share: Share) -> dict[str, Any]:
    return {"version": share.version, "percent": share.share * 100 / WHOLE}
