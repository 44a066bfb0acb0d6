"""Bring the registry's database to the schema that this program knows, and refuse others."""

from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import Connection, inspect, text

from registry import (  # noqa: F401  # their tables belong to `Base` as well
    job_tables,
    pool_tables,
    route_tables,
    sql_answers,
    sql_generations,
)
from registry.engine import WRITES, failures_named, open_engine, shown
from registry.errors import RegistryUnavailable, SchemaMismatch
from registry.settings import RegistrySettings
from registry.tables import Base

REVISIONS = ("0001", "0002", "0003", "0004", "0005")
"""Every schema that there was, oldest first."""
HEAD = REVISIONS[-1]
"""The schema that this program knows."""
VERSION_TABLE = "registry_schema"
"""Where a database says which schema it has; not Alembic's default, which other programs that
share a database use for theirs."""

_ADVISORY_LOCK = 0x6E69676874  # "night"
"""Held in PostgreSQL while the schema changes, so that one process does it."""


def make_ready(settings: RegistrySettings) -> None:
    """Have the database at `HEAD`: SQLite's by changing it, a server's by refusing others.

    Safe when several processes do so at once. Raises `RegistryUnavailable`, `SchemaMismatch`.
    """
    found = current(settings)
    if found == HEAD:
        return
    if not settings.database_url.startswith("sqlite"):
        raise _mismatch(settings, found)
    upgrade(settings)


def current(settings: RegistrySettings) -> str | None:
    """Return the database's schema, None for one without tables; raises `RegistryUnavailable`."""
    engine = open_engine(settings)
    try:
        with failures_named(engine.url), engine.connect() as connection:
            return _revision(connection)
    finally:
        engine.dispose()


def upgrade(settings: RegistrySettings) -> str | None:
    """Bring the database to `HEAD`; return the schema it had.

    All or nothing, one process at a time; rows stay. Raises `RegistryUnavailable`, or
    `SchemaMismatch` for a schema that this program does not know.
    """
    with _alone(settings) as connection:
        found = _revision(connection)
        if found not in (None, *REVISIONS):
            raise _mismatch(settings, found)
        if found is None and connection.dialect.name == "sqlite":
            # The tables of today at once: with Alembic every first run would take longer.
            Base.metadata.create_all(connection)
            _stamp(connection, HEAD)
        elif found != HEAD:
            _migrate(connection, found, command="upgrade", to=HEAD)
        return found


def downgrade(settings: RegistrySettings, to: str) -> str | None:
    """Take the database back to an older schema; return the one it had.

    What the older schema cannot hold is lost. Raises `RegistryUnavailable`, `SchemaMismatch`.
    """
    with _alone(settings) as connection:
        found = _revision(connection)
        older = REVISIONS[: REVISIONS.index(found) + 1] if found in REVISIONS else ()
        if to not in older:
            raise SchemaMismatch(
                f"the registry at {shown(connection.engine.url)} has schema {found or 'none'} and "
                f"cannot go back to {to!r}: choose of {', '.join(older) or 'none'}"
            )
        if to != found:
            _migrate(connection, found, command="downgrade", to=to)
        return found


@contextmanager
def _alone(settings: RegistrySettings) -> Iterator[Connection]:
    """Open a transaction that no other process changes the schema beside."""
    engine = open_engine(settings, foreign_keys=False)
    try:
        with (
            failures_named(engine.url),
            engine.execution_options(**{WRITES: True}).connect() as connection,
            connection.begin(),
        ):
            if connection.dialect.name == "postgresql":
                connection.execute(text("SELECT pg_advisory_xact_lock(:n)"), {"n": _ADVISORY_LOCK})
            yield connection
            if connection.dialect.name == "sqlite":
                broken = connection.exec_driver_sql("PRAGMA foreign_key_check").all()
                if broken:
                    raise RegistryUnavailable(
                        f"the registry at {shown(engine.url)} has rows that point to nothing "
                        f"({broken[0]}): bring back a copy of the file that is whole"
                    )
    finally:
        engine.dispose()


def _revision(connection: Connection) -> str | None:
    tables = inspect(connection).get_table_names()
    if VERSION_TABLE in tables:
        return str(connection.scalar(text(f"SELECT version_num FROM {VERSION_TABLE}")))
    # What was made before there were migrations says nothing of itself: it has the first schema.
    return REVISIONS[0] if "alias_moves" in tables else None


def _stamp(connection: Connection, revision: str) -> None:
    # Alembic's own form of the table.
    connection.execute(
        text(
            f"CREATE TABLE IF NOT EXISTS {VERSION_TABLE} (version_num VARCHAR(32) NOT NULL, "
            f"CONSTRAINT {VERSION_TABLE}_pkc PRIMARY KEY (version_num))"
        )
    )
    connection.execute(text(f"DELETE FROM {VERSION_TABLE}"))
    connection.execute(text(f"INSERT INTO {VERSION_TABLE} VALUES (:v)"), {"v": revision})


def _migrate(connection: Connection, found: str | None, *, command: str, to: str) -> None:
    # Only who changes a schema waits for Alembic to be imported.
    from alembic import command as commands
    from alembic.config import Config

    if found is not None:
        _stamp(connection, found)
    config = Config()
    config.set_main_option("script_location", "registry:migrations")
    config.attributes["connection"] = connection
    getattr(commands, command)(config, to)


def _mismatch(settings: RegistrySettings, found: str | None) -> SchemaMismatch:
    engine = open_engine(settings)
    where = shown(engine.url)
    engine.dispose()
    if found is None:
        return SchemaMismatch(
            f"the registry at {where} has no tables yet: run `nightshift db upgrade`"
        )
    if found in REVISIONS:
        return SchemaMismatch(
            f"the registry at {where} has schema {found}, this program needs {HEAD}: run "
            "`nightshift db upgrade`"
        )
    return SchemaMismatch(
        f"the registry at {where} has schema {found}, which this program does not know (its own "
        f"is {HEAD}): run a newer Nightshift, or `nightshift db downgrade {HEAD}` of that one"
    )
