"""Keep the registry's rows in a SQL database."""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.engine import URL, make_url
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.exc import ArgumentError, DBAPIError, IntegrityError, NoSuchModuleError
from sqlalchemy.orm import Session
from sqlalchemy.pool import ConnectionPoolEntry

from registry.errors import RegistryUnavailable
from registry.settings import RegistrySettings
from registry.sql_events import SqlEventRows
from registry.sql_models import SqlModelRows
from registry.sql_pools import SqlPoolRows
from registry.tables import Base

_WRITES = "nightshift_writes"
"""Execution option of a connection whose transactions take SQLite's write lock as they begin."""


class SqlRows(SqlModelRows, SqlPoolRows, SqlEventRows):
    """The registry's rows within one session; see `registry.port.Rows`."""


class SqlStore:
    """The registry's rows in SQLite or PostgreSQL; one session per transaction."""

    def __init__(self, engine: Engine) -> None:
        self._url = engine.url
        self._writes = engine.execution_options(**{_WRITES: True})
        self._reads = engine
        if engine.dialect.name == "postgresql":
            self._reads = engine.execution_options(isolation_level="REPEATABLE READ")

    @contextmanager
    def reading(self) -> Iterator[SqlRows]:
        """Open a transaction that sees one consistent state."""
        with _failures_named(self._url), Session(self._reads) as session:
            yield SqlRows(session)

    @contextmanager
    def writing(self) -> Iterator[SqlRows]:
        """Open a transaction that may change rows, committed when the block ends."""
        with _failures_named(self._url), Session(self._writes) as session, session.begin():
            yield SqlRows(session)

    def create_tables(self) -> None:
        """Create the tables that are missing; safe when several processes do so at once."""
        with _failures_named(self._url), self._writes.begin() as connection:
            Base.metadata.create_all(connection)

    def close(self) -> None:
        """Give connections back."""
        self._reads.dispose()


def open_store(settings: RegistrySettings) -> SqlStore:
    """Open the registry's database, made ready if it is new.

    Raises `RegistryUnavailable` when it cannot be opened.
    """
    try:
        url = make_url(settings.database_url)
        with _failures_named(url):
            _make_folder(url)
            store = SqlStore(_engine(url, busy_timeout_s=settings.database_busy_timeout_s))
    except (ArgumentError, NoSuchModuleError, ModuleNotFoundError) as error:
        raise RegistryUnavailable(
            "NIGHTSHIFT_DATABASE_URL is not a database that can be used here: write "
            "sqlite:///PATH or postgresql+psycopg://USER@HOST/NAME"
        ) from error
    store.create_tables()
    return store


def _engine(url: URL, *, busy_timeout_s: float) -> Engine:
    if url.get_backend_name() != "sqlite":
        return create_engine(url, pool_pre_ping=True)
    engine = create_engine(url, connect_args={"timeout": busy_timeout_s})
    event.listen(engine, "connect", _set_up_sqlite)
    event.listen(engine, "begin", _begin_sqlite)
    return engine


def _set_up_sqlite(connection: DBAPIConnection, _: ConnectionPoolEntry) -> None:
    assert isinstance(connection, sqlite3.Connection)
    # The driver would begin transactions late and by its own rules: `_begin_sqlite` begins them.
    connection.isolation_level = None
    connection.execute("PRAGMA foreign_keys=ON")
    connection.execute("PRAGMA synchronous=FULL")
    connection.execute("PRAGMA journal_mode=WAL")


def _begin_sqlite(connection: Connection) -> None:
    # A transaction that reads before it writes cannot wait for another writer in between: SQLite
    # answers "database is locked" at once. So a writer takes the lock first, and that can wait.
    writes = connection.get_execution_options().get(_WRITES, False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")


def _make_folder(url: URL) -> None:
    if url.get_backend_name() == "sqlite" and url.database not in (None, "", ":memory:"):
        Path(url.database).parent.mkdir(parents=True, exist_ok=True)


@contextmanager
def _failures_named(url: URL) -> Iterator[None]:
    try:
        yield
    except IntegrityError:
        # The catalog keeps the constraints; one that breaks is our fault, not the database's.
        raise
    except (DBAPIError, OSError) as error:
        where = url.render_as_string(hide_password=True)
        cause = str(error.orig if isinstance(error, DBAPIError) else error)
        raise RegistryUnavailable(
            f"the registry at {where} cannot be used ({' '.join(cause.split())}): check "
            "NIGHTSHIFT_DATABASE_URL, the folder's permissions and the disk's free space"
        ) from error
