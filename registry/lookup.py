"""Find rows that must be there, or say which there are."""

from registry.conflicts import InUse, RevisionChanged
from registry.domain import Alias, Model, ModelVersion
from registry.errors import (
    KNOWN_NAMES,
    UnknownAlias,
    UnknownModel,
    UnknownPool,
    UnknownServer,
    UnknownVersion,
)
from registry.pages import ModelFilter, VersionFilter
from registry.pools import Pool, PoolServer
from registry.port import Rows
from registry.uses import Referent


def require_model(rows: Rows, name: str) -> Model:
    """Return the model; raises `UnknownModel`."""
    return _known_model(rows, name, rows.model(name))


def locked_model(rows: Rows, name: str, *, if_revision: int | None = None) -> Model:
    """Lock the model; raises `UnknownModel`, `RevisionChanged`."""
    model = _known_model(rows, name, rows.lock_model(name))
    if if_revision not in (None, model.revision):
        raise RevisionChanged(f"model {name}", if_revision, model.revision)
    return model


def require_version(rows: Rows, name: str, number: int) -> ModelVersion:
    """Return the version of a model that exists; raises `UnknownVersion`."""
    version = rows.version(name, number)
    if version is None:
        newest = rows.versions(name, VersionFilter(), after=None, limit=KNOWN_NAMES)
        raise UnknownVersion(name, number, [known.version for known in newest])
    return version


def require_alias(rows: Rows, name: str, alias: str) -> Alias:
    """Return the alias of a model that exists; raises `UnknownAlias`."""
    found = rows.alias(name, alias)
    if found is None:
        known = rows.aliases(name, after=None, limit=KNOWN_NAMES)
        raise UnknownAlias(name, alias, [each.name for each in known])
    return found


def require_pool(rows: Rows, name: str) -> Pool:
    """Return the pool; raises `UnknownPool`."""
    return _known_pool(rows, name, rows.pool(name))


def locked_pool(rows: Rows, name: str, *, if_revision: int | None = None) -> Pool:
    """Lock the pool; raises `UnknownPool`, `RevisionChanged`."""
    pool = _known_pool(rows, name, rows.lock_pool(name))
    if if_revision not in (None, pool.revision):
        raise RevisionChanged(f"pool {name}", if_revision, pool.revision)
    return pool


def require_server(
    rows: Rows, pool: str, url: str, *, if_revision: int | None = None
) -> PoolServer:
    """Return the server of a pool that exists; raises `UnknownServer`, `RevisionChanged`."""
    server = rows.server(pool, url)
    if server is None:
        known = rows.servers(pool, removed=False, after=None, limit=KNOWN_NAMES)
        raise UnknownServer(pool, url, [each.url for each in known])
    if if_revision not in (None, server.revision):
        raise RevisionChanged(f"server {url}", if_revision, server.revision)
    return server


def require_unused(rows: Rows, what: str, model: str, version: int | None) -> None:
    """Raise `InUse` while the locked model, or one of its versions, is pointed to."""
    aliases = rows.aliases(model, after=None, limit=None, version=version)
    placements = rows.placements(model=model, version=version)
    referents = [
        *(Referent("alias", alias.name) for alias in aliases),
        *(Referent(use.kind, use.id) for use in rows.uses(model, version)),
        *(Referent("pool", pool) for pool in sorted({each.pool for each in placements})),
    ]
    if referents:
        raise InUse(what, referents)


def _known_model(rows: Rows, name: str, found: Model | None) -> Model:
    if found is None:
        known = rows.models(ModelFilter(), after=None, limit=KNOWN_NAMES)
        raise UnknownModel(name, [model.name for model in known])
    return found


def _known_pool(rows: Rows, name: str, found: Pool | None) -> Pool:
    if found is None:
        known = rows.pools(prefix="", after=None, limit=KNOWN_NAMES)
        raise UnknownPool(name, [pool.name for pool in known])
    return found
