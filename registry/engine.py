"""Connect to the registry's database."""

import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.engine import URL, make_url
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.exc import (
    ArgumentError,
    DataError,
    DBAPIError,
    IntegrityError,
    NoSuchModuleError,
)
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.pool import ConnectionPoolEntry

from registry.errors import InvalidRegistration, RegistryUnavailable
from registry.settings import RegistrySettings

WRITES = "nightshift_writes"
"""Execution option of a connection whose transactions take SQLite's write lock as they begin."""
_LOCKED_PAUSE_S = 0.01
"""Between two tries to switch a new database's journal, which takes another one milliseconds."""


def open_engine(settings: RegistrySettings, *, foreign_keys: bool = True) -> Engine:
    """Return the engine of the database that the settings name; nothing is asked of it yet.

    Without `foreign_keys` SQLite lets tables be rebuilt that others point to. Raises
    `RegistryUnavailable`.
    """
    try:
        url = make_url(settings.database_url)
        with failures_named(url):
            _make_folder(url)
            if url.get_backend_name() == "sqlite":
                return _sqlite(url, settings, foreign_keys=foreign_keys)
            return _server(url, settings)
    except (ArgumentError, NoSuchModuleError, ModuleNotFoundError) as error:
        raise RegistryUnavailable(
            "NIGHTSHIFT_DATABASE_URL is not a database that can be used here: write "
            "sqlite:///PATH or postgresql+psycopg://USER@HOST/NAME"
        ) from error


@contextmanager
def failures_named(url: URL) -> Iterator[None]:
    """Raise `RegistryUnavailable` for what the database or its folder cannot do.

    Raises `InvalidRegistration` for text and numbers that it cannot hold, wherever they stand.
    """
    try:
        yield
    except IntegrityError:
        # The catalog keeps the constraints; one that breaks is our fault, not the database's.
        raise
    except (DataError, OverflowError, UnicodeEncodeError) as error:
        cause = error.orig if isinstance(error, DataError) else error
        raise InvalidRegistration(
            f"the registry cannot keep or look for what was given ({_one_line(cause)}): leave out "
            "NUL characters, halves of surrogate pairs and enormous numbers"
        ) from error
    except (DBAPIError, OSError, PoolTimeout) as error:
        cause = error.orig if isinstance(error, DBAPIError) else error
        raise RegistryUnavailable(
            f"the registry at {shown(url)} cannot be used ({_one_line(cause)}): check "
            "NIGHTSHIFT_DATABASE_URL, the folder's permissions and the disk's free space"
        ) from error


def shown(url: URL) -> str:
    """Return the URL without its password."""
    return url.render_as_string(hide_password=True)


def _one_line(cause: object) -> str:
    return " ".join(str(cause).split())


def _server(url: URL, settings: RegistrySettings) -> Engine:
    if url.get_backend_name() != "postgresql":
        return create_engine(url, pool_pre_ping=True)
    busy_ms = round(settings.database_busy_timeout_s * 1000)
    answer_ms = round(settings.database_answer_timeout_s * 1000)
    limits = (f"lock_timeout={busy_ms}", f"idle_in_transaction_session_timeout={2 * busy_ms}")
    network = {
        "connect_timeout": max(2, round(settings.database_answer_timeout_s)),
        "tcp_user_timeout": answer_ms,
        "keepalives_idle": max(1, round(settings.database_answer_timeout_s)),
        "options": " ".join(f"-c {limit}" for limit in limits),
    }
    return create_engine(
        url,
        connect_args={key: value for key, value in network.items() if key not in url.query},
        pool_pre_ping=True,
        pool_size=settings.database_connections,
        max_overflow=0,
        pool_timeout=settings.database_busy_timeout_s,
    )


def _sqlite(url: URL, settings: RegistrySettings, *, foreign_keys: bool) -> Engine:
    engine = create_engine(url, connect_args={"timeout": settings.database_busy_timeout_s})

    def set_up(connection: DBAPIConnection, _: ConnectionPoolEntry) -> None:
        assert isinstance(connection, sqlite3.Connection)
        # The driver would begin transactions late and by its own rules: `_begin` begins them.
        connection.isolation_level = None
        connection.execute(f"PRAGMA foreign_keys={'ON' if foreign_keys else 'OFF'}")
        connection.execute("PRAGMA synchronous=FULL")
        _keep_a_log(connection, wait_s=settings.database_busy_timeout_s)

    event.listen(engine, "connect", set_up)
    event.listen(engine, "begin", _begin)
    return engine


def _keep_a_log(connection: sqlite3.Connection, *, wait_s: float) -> None:
    """Have the database write ahead, which it is switched to once in its life.

    When several connections switch a new one, SQLite tells all but one at once that it is locked,
    whatever they are ready to wait: each would wait for the other.
    """
    deadline = time.monotonic() + wait_s
    while True:
        try:
            connection.execute("PRAGMA journal_mode=WAL")
            return
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY or time.monotonic() > deadline:
                raise
        time.sleep(_LOCKED_PAUSE_S)


def _begin(connection: Connection) -> None:
    # A transaction that reads before it writes cannot wait for another writer in between: SQLite
    # answers "database is locked" at once. So a writer takes the lock first, and that can wait.
    writes = connection.get_execution_options().get(WRITES, False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")


def _make_folder(url: URL) -> None:
    if url.get_backend_name() == "sqlite" and url.database not in (None, "", ":memory:"):
        Path(url.database).parent.mkdir(parents=True, exist_ok=True)
