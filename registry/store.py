"""Keep the registry's rows in a SQL database."""

from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import Engine
from sqlalchemy.orm import Session

from registry.engine import WRITES, failures_named, open_engine
from registry.schema import make_ready
from registry.settings import RegistrySettings
from registry.sql_answers import SqlAnswerRows
from registry.sql_events import SqlEventRows
from registry.sql_jobs import SqlJobRows
from registry.sql_models import SqlModelRows
from registry.sql_pointers import SqlPointerRows
from registry.sql_pools import SqlPoolRows
from registry.sql_routes import SqlRouteRows


class SqlRows(
    SqlModelRows,
    SqlPointerRows,
    SqlRouteRows,
    SqlPoolRows,
    SqlEventRows,
    SqlJobRows,
    SqlAnswerRows,
):
    """The registry's rows within one session; see `registry.port.Rows`."""


class SqlStore:
    """The registry's rows in SQLite or PostgreSQL; one session per transaction."""

    def __init__(self, engine: Engine) -> None:
        self._url = engine.url
        self._writes = engine.execution_options(**{WRITES: True})
        self._reads = engine
        if engine.dialect.name == "postgresql":
            self._reads = engine.execution_options(isolation_level="REPEATABLE READ")

    @contextmanager
    def reading(self) -> Iterator[SqlRows]:
        """Open a transaction that sees one consistent state."""
        with failures_named(self._url), Session(self._reads) as session:
            yield SqlRows(session)

    @contextmanager
    def writing(self) -> Iterator[SqlRows]:
        """Open a transaction that may change rows, committed when the block ends."""
        with failures_named(self._url), Session(self._writes) as session, session.begin():
            yield SqlRows(session)

    def close(self) -> None:
        """Give connections back."""
        self._reads.dispose()


def open_store(settings: RegistrySettings) -> SqlStore:
    """Open the registry's database.

    A file of SQLite is made ready, if it is new or of an older schema; a server's database is
    made ready by `nightshift db upgrade` only. Raises `RegistryUnavailable` when it cannot be
    opened, `SchemaMismatch` when its schema is not the one that this program knows.
    """
    make_ready(settings)
    return SqlStore(open_engine(settings))
