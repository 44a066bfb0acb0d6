"""Register pools with their servers, and say which versions they shall serve."""

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime

from registry.catalog import utc_now
from registry.conflicts import AlreadyExists, InUse, ServerTaken
from registry.domain import check_name
from registry.errors import InvalidRegistration
from registry.events import EventKind
from registry.history import record_pool
from registry.lookup import (
    locked_model,
    locked_pool,
    require_model,
    require_pool,
    require_server,
    require_version,
)
from registry.pages import Page, page_of
from registry.pools import Placement, Pool, PoolServer, ServerState
from registry.port import Rows, Store
from registry.uses import Referent

_ASKED_FOR = {
    ServerState.ACTIVE: EventKind.SERVER_ADDED,
    ServerState.DRAINING: EventKind.SERVER_DRAINED,
    ServerState.REMOVED: EventKind.SERVER_REMOVED,
}
"""What the history calls it when a server comes to a state."""


class Fleet:
    """The registry's rules for pools, their servers and what they shall serve.

    Every change of a pool happens under its lock, raises its `revision` by one and leaves one
    event with that number. Lists, `by`, `why` and `if_revision` are as in `Catalog`. Whether a
    server is what it says is for the caller to find out before it is added.
    """

    def __init__(self, store: Store, *, now: Callable[[], datetime] = utc_now) -> None:
        self._store = store
        self._now = now

    def create_pool(self, name: str, *, description: str = "", by: str = "") -> Pool:
        """Add a pool without servers; raises `InvalidName`, `AlreadyExists`."""
        draft = Pool(check_name(name, "pool"), description, self._now(), by)
        with self._store.writing() as rows:
            pool, added = rows.add_pool(draft)
            if not added:
                raise AlreadyExists(f"pool {name}")
            return record_pool(rows, pool, EventKind.POOL_CREATED, by=by, now=draft.created_at)

    def change_pool(
        self,
        name: str,
        *,
        description: str,
        by: str = "",
        why: str = "",
        if_revision: int | None = None,
    ) -> Pool:
        """Change the pool's description; raises `UnknownPool`, `RevisionChanged`."""
        with self._store.writing() as rows:
            pool = locked_pool(rows, name, if_revision=if_revision)
            if pool.description == description:
                return pool
            told, change = replace(pool, description=description), {"description": description}
            kind, now = EventKind.POOL_CHANGED, self._now()
            return record_pool(rows, told, kind, by=by, now=now, why=why, change=change)

    def delete_pool(
        self, name: str, *, by: str = "", why: str = "", if_revision: int | None = None
    ) -> None:
        """Take the pool away; its history stays readable.

        Raises `UnknownPool`, `RevisionChanged`, or `InUse` while it has servers or placements.
        """
        with self._store.writing() as rows:
            pool = locked_pool(rows, name, if_revision=if_revision)
            _require_empty(rows, name)
            kind, now = EventKind.POOL_DELETED, self._now()
            gone = record_pool(rows, pool, kind, by=by, now=now, why=why)
            rows.delete_pool(name, gone.changed_at or now)

    def pool(self, name: str) -> Pool:
        """Return the pool; raises `UnknownPool`."""
        with self._store.reading() as rows:
            return require_pool(rows, name)

    def pools(
        self, *, prefix: str = "", after: str | None = None, limit: int | None = None
    ) -> Page[Pool, str]:
        """Return pools, by name; `prefix` is how the name begins."""
        with self._store.reading() as rows:
            one_more = None if limit is None else limit + 1
            found = rows.pools(prefix=prefix, after=after, limit=one_more)
        return page_of(found, limit, lambda pool: pool.name)

    def add_server(
        self,
        pool: str,
        url: str,
        *,
        by: str = "",
        why: str = "",
        if_revision: int | None = None,
    ) -> PoolServer:
        """Have the pool's server asked, one that is draining or was removed too.

        Safe to repeat: a server that is active already is left alone. With `if_revision` it must
        be there. Raises `UnknownPool`, `UnknownServer`, `RevisionChanged`, `InvalidRegistration`,
        or `ServerTaken` when another pool has it.
        """
        if not url or "/" in url or not url.isprintable() or len(url) > 512:
            raise InvalidRegistration(
                f"server {url!r} is not an address: write HOST:PORT of Triton's gRPC endpoint"
            )
        with self._store.writing() as rows:
            found = locked_pool(rows, pool)
            now, before = self._now(), rows.server(pool, url)
            if if_revision is not None:
                before = require_server(rows, pool, url, if_revision=if_revision)
            draft = PoolServer(pool, url, ServerState.ACTIVE, now, by)
            if before is not None and before.state is not ServerState.REMOVED:
                draft = replace(before, state=ServerState.ACTIVE)
            return _put(rows, found, before, draft, by=by, why=why, now=now)

    def retire_server(
        self,
        pool: str,
        url: str,
        state: ServerState,
        *,
        by: str = "",
        why: str = "",
        if_revision: int | None = None,
    ) -> PoolServer:
        """Have the server asked no more: it drains, and finishes what it has, or is removed.

        Safe to repeat; what was removed stays so. Raises `UnknownPool`, `UnknownServer`,
        `RevisionChanged`.
        """
        with self._store.writing() as rows:
            found = locked_pool(rows, pool)
            before = require_server(rows, pool, url, if_revision=if_revision)
            if before.state is ServerState.REMOVED:
                return before
            draft = replace(before, state=state)
            return _put(rows, found, before, draft, by=by, why=why, now=self._now())

    def server(self, pool: str, url: str) -> PoolServer:
        """Return the pool's server, a removed one too; raises `UnknownPool`, `UnknownServer`."""
        with self._store.reading() as rows:
            require_pool(rows, pool)
            return require_server(rows, pool, url)

    def servers(
        self,
        pool: str,
        *,
        removed: bool = False,
        after: str | None = None,
        limit: int | None = None,
    ) -> Page[PoolServer, str]:
        """Return the pool's servers by address, on wish the removed too; raises `UnknownPool`."""
        with self._store.reading() as rows:
            require_pool(rows, pool)
            one_more = None if limit is None else limit + 1
            found = rows.servers(pool, removed=removed, after=after, limit=one_more)
        return page_of(found, limit, lambda server: server.url)

    def place(
        self, pool: str, model: str, version: int, *, by: str = "", why: str = ""
    ) -> Placement:
        """Wish that every server of the pool has the version loaded.

        The version cannot be deleted while it is wished for. Safe to repeat. Raises
        `UnknownModel`, `UnknownVersion`, `UnknownPool`.
        """
        with self._store.writing() as rows:
            # The model before the pool, as everywhere: two who lock both cannot wait for each
            # other.
            locked_model(rows, model)
            require_version(rows, model, version)
            found = locked_pool(rows, pool)
            for placement in rows.placements(pool=pool, model=model, version=version):
                return placement
            kind, now = EventKind.VERSION_PLACED, self._now()
            told = {"model": model, "version": version}
            changed = record_pool(rows, found, kind, by=by, now=now, why=why, **told)
            placed = Placement(pool, model, version, changed.changed_at or now, by)
            rows.add_placement(placed)
            rows.touch(model)
            return placed

    def withdraw(self, pool: str, model: str, version: int, *, by: str = "", why: str = "") -> None:
        """Wish no more that the pool has the version; safe to repeat; raises `UnknownPool`."""
        with self._store.writing() as rows:
            found = locked_pool(rows, pool)
            if not rows.placements(pool=pool, model=model, version=version):
                return
            rows.remove_placement(pool, model, version)
            rows.touch(model)
            kind, told = EventKind.VERSION_WITHDRAWN, {"model": model, "version": version}
            record_pool(rows, found, kind, by=by, now=self._now(), why=why, **told)

    def placements(
        self, *, pool: str | None = None, model: str | None = None
    ) -> tuple[Placement, ...]:
        """Return what is wished where; raises `UnknownPool`, `UnknownModel`."""
        with self._store.reading() as rows:
            if pool is not None:
                require_pool(rows, pool)
            if model is not None:
                require_model(rows, model)
            return rows.placements(pool=pool, model=model)


def _put(
    rows: Rows,
    pool: Pool,
    before: PoolServer | None,
    draft: PoolServer,
    *,
    by: str,
    why: str,
    now: datetime,
) -> PoolServer:
    if draft == before:
        return draft
    kind = _ASKED_FOR[draft.state]
    changed = record_pool(rows, pool, kind, by=by, now=now, why=why, server=draft.url)
    server = replace(draft, revision=changed.revision)
    holder = rows.put_server(server)
    if holder != pool.name:
        raise ServerTaken(draft.url, holder)
    return server


def _require_empty(rows: Rows, name: str) -> None:
    servers = rows.servers(name, removed=False, after=None, limit=None)
    referents = [
        *(Referent("server", server.url) for server in servers),
        *(Referent("version", f"{p.model}@{p.version}") for p in rows.placements(pool=name)),
    ]
    if referents:
        raise InUse(f"pool {name}", referents)
