"""Register versions of models, move aliases, delete what nothing needs."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import UTC, datetime

from registry import promotion
from registry.adding import add_version, locked_or_added
from registry.conflicts import AlreadyExists, ApprovalRefused
from registry.domain import (
    Alias,
    Approval,
    Model,
    ModelVersion,
    Signature,
    check_alias,
    check_name,
)
from registry.events import EventKind
from registry.history import record
from registry.lookup import locked_model, require_unused, require_version
from registry.port import Store
from registry.reading import CatalogReader
from registry.registration import check_version
from registry.tags import check_tags
from registry.uses import Use, UseKind


def utc_now() -> datetime:
    """Return the time now, in UTC."""
    return datetime.now(UTC)


class Catalog(CatalogReader):
    """The registry's rules: what may be registered, moved and deleted.

    Every change of a model, its versions or aliases happens under the model's lock, raises the
    model's `revision` by one and leaves one event with that number. `by` is who did it, `why` the
    reason given; `if_revision` is the revision that the caller saw, None to change what there is.
    """

    def __init__(self, store: Store, *, now: Callable[[], datetime] = utc_now) -> None:
        super().__init__(store)
        self._now = now

    def create_model(
        self,
        name: str,
        *,
        description: str = "",
        tags: Mapping[str, str] | None = None,
        by: str = "",
    ) -> Model:
        """Add a model that has no version yet; raises `InvalidName`, `AlreadyExists`.

        The name of a deleted model may be used again; its versions are counted on, and its
        protected aliases are still protected.
        """
        draft = Model(
            check_name(name, "model"), description, 0, self._now(), by, check_tags(tags or {})
        )
        with self._store.writing() as rows:
            model, added = locked_or_added(rows, draft)
            if not added:
                raise AlreadyExists(f"model {name}")
            return model

    def change_model(
        self,
        name: str,
        *,
        description: str | None = None,
        tags: Mapping[str, str] | None = None,
        by: str = "",
        why: str = "",
        if_revision: int | None = None,
    ) -> Model:
        """Change the model's description or all of its tags; what is None stays.

        Raises `UnknownModel`, `InvalidName`, `RevisionChanged`.
        """
        given = {"description": description, "tags": None if tags is None else check_tags(tags)}
        with self._store.writing() as rows:
            model = locked_model(rows, name, if_revision=if_revision)
            change = {k: v for k, v in given.items() if v not in (None, getattr(model, k))}
            if not change:
                return model
            told = replace(model, **change)  # type: ignore[arg-type]  # keys and types as above
            kind, now = EventKind.MODEL_CHANGED, self._now()
            return record(rows, told, kind, by=by, now=now, why=why, change=change)

    def delete_model(
        self, name: str, *, by: str = "", why: str = "", if_revision: int | None = None
    ) -> None:
        """Take the model with all its versions away; its history stays readable.

        Its protected aliases stay protected, for whoever uses the name again. Raises
        `UnknownModel`, `RevisionChanged`, or `InUse` while anything points to it.
        """
        with self._store.writing() as rows:
            model = locked_model(rows, name, if_revision=if_revision)
            require_unused(rows, f"model {name}", name, None)
            bare = replace(model, description="", tags={})
            gone = record(rows, bare, EventKind.MODEL_DELETED, by=by, now=self._now(), why=why)
            rows.delete_model(name, gone.changed_at or self._now())

    def register(
        self,
        name: str,
        *,
        signature: Signature,
        digest: str,
        served_name: str,
        served_version: str,
        columns: Mapping[str, tuple[str, ...]] | None = None,
        artifact: str | None = None,
        description: str = "",
        tags: Mapping[str, str] | None = None,
        by: str = "",
    ) -> ModelVersion:
        """Add a version of the model `name`, and the model itself if it is new.

        Safe to repeat: the same digest, signature and columns give the version that is already
        there. Numbers are counted under the model's row lock and never used twice. Raises
        `InvalidName`, `InvalidRegistration`.
        """
        now = self._now()
        version = ModelVersion(
            name=name,
            version=0,
            signature=signature,
            digest=digest,
            served_name=served_name,
            served_version=served_version,
            columns={key: tuple(value) for key, value in (columns or {}).items()},
            artifact=artifact,
            description=description,
            created_at=now,
            created_by=by,
            tags=check_tags(tags or {}),
        )
        check_version(version)
        with self._store.writing() as rows:
            return add_version(rows, version, now)

    def delete_version(self, name: str, number: int, *, by: str = "", why: str = "") -> None:
        """Take the version away; its number is never given again.

        Raises `UnknownModel`, `UnknownVersion`, or `InUse` while anything points to it.
        """
        with self._store.writing() as rows:
            model = locked_model(rows, name)
            require_version(rows, name, number)
            require_unused(rows, f"{name}@{number}", name, number)
            kind, now = EventKind.VERSION_DELETED, self._now()
            gone = record(rows, model, kind, by=by, now=now, why=why, version=number)
            rows.delete_version(name, number, gone.changed_at or now)

    def approve(self, name: str, number: int, *, by: str, why: str = "") -> Approval:
        """Write down that `by` found the version fit to go live.

        Nobody approves what they registered. Safe to repeat: the first approval stays. Raises
        `UnknownModel`, `UnknownVersion`, `ApprovalRefused`.
        """
        with self._store.writing() as rows:
            model = locked_model(rows, name)
            version = require_version(rows, name, number)
            if not by or by == version.created_by:
                raise ApprovalRefused(name, number, by)
            for approval in rows.approvals(name, number):
                if approval.by == by:
                    return approval
            kind, now = EventKind.VERSION_APPROVED, self._now()
            changed = record(rows, model, kind, by=by, now=now, why=why, version=number)
            approval = Approval(name, number, by, changed.changed_at or now, why)
            rows.add_approval(approval)
            return approval

    def set_alias(
        self,
        name: str,
        alias: str,
        version: int,
        *,
        by: str = "",
        why: str = "",
        from_version: int | None = None,
        if_revision: int | None = None,
        approver: bool = True,
    ) -> Alias:
        """Point `alias` to `version`, and write the move into the history.

        Compare and set: `from_version` is the version that it must point to now, `if_revision` the
        revision that the alias must have, 0 for an alias that must not exist yet; None moves it
        from wherever it is. Safe to repeat: an alias that already points there is left alone.

        A protected alias goes to a version only after somebody approved that version who is
        neither the one who moves it nor the one who registered the version; rolling back to a
        version that was approved needs no new approval. A version whose registrar is not known
        counts as nobody's. Only an `approver`, who may approve versions, moves a protected alias.

        A route of the alias must fit its new version. Raises `InvalidName`, `UnknownModel`,
        `UnknownVersion`, `AliasMoved` when the compare is lost, `ApproverNeeded`,
        `ApprovalMissing`, `RouteInTheWay`.
        """
        check_alias(alias)
        with self._store.writing() as rows:
            model = locked_model(rows, name)
            promotion.require_approver(model, alias, approver=approver)
            expected = {"from_version": from_version, "if_revision": if_revision}
            promotion.compare(rows, name, alias, **expected)
            now = self._now()
            return promotion.move_alias(rows, model, alias, version, by=by, why=why, now=now)

    def delete_alias(
        self,
        name: str,
        alias: str,
        *,
        by: str = "",
        why: str = "",
        from_version: int | None = None,
        if_revision: int | None = None,
    ) -> None:
        """Take the alias away, by compare and set as `set_alias`.

        Raises `UnknownModel`, `UnknownAlias`, `AliasMoved`, `AliasProtected`, or `InUse` while it
        has a route.
        """
        with self._store.writing() as rows:
            model = locked_model(rows, name)
            expected = {"from_version": from_version, "if_revision": if_revision}
            promotion.compare(rows, name, alias, **expected)
            promotion.delete_alias(rows, model, alias, by=by, why=why, now=self._now())

    def protect_alias(
        self,
        name: str,
        alias: str,
        *,
        protected: bool,
        by: str = "",
        why: str = "",
        if_revision: int | None = None,
    ) -> Model:
        """Let the alias go to approved versions only, see `set_alias`, or to any again.

        An alias may be protected before it exists, and stays where it points; its canaries must
        have been approved. Who may do this is for the API's scopes to say: whoever may take a
        protection off can pass the gate, and the history shows it. Raises `InvalidName`,
        `UnknownModel`, `RevisionChanged`, `RouteInTheWay`.
        """
        check_alias(alias)
        with self._store.writing() as rows:
            model = locked_model(rows, name, if_revision=if_revision)
            now = self._now()
            change = promotion.protect_alias if protected else promotion.unprotect_alias
            return change(rows, model, alias, by=by, why=why, now=now)

    def claim(self, use: Use) -> None:
        """Keep what a job or route uses from being deleted until `release`.

        Checked under the model's lock, so a claim and a deletion cannot both succeed. Safe to
        repeat. Raises `UnknownModel`, `UnknownVersion`.
        """
        with self._store.writing() as rows:
            locked_model(rows, use.model)
            if use.version is not None:
                require_version(rows, use.model, use.version)
            rows.add_use(use)

    def release(self, kind: UseKind, name: str) -> None:
        """Let go of everything that the job or route uses; safe to repeat."""
        with self._store.writing() as rows:
            rows.remove_uses(kind, name)
