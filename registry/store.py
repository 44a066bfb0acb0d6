"""Keep the registry's rows in a SQL database."""

from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import Engine
from sqlalchemy.orm import Session

from registry.engine import WRITES, failures_named, open_engine
from registry.errors import RegistryUnavailable
from registry.generations import Advanced, Audience, Nobody
from registry.schema import make_ready
from registry.settings import RegistrySettings
from registry.sql_answers import SqlAnswerRows
from registry.sql_events import SqlEventRows
from registry.sql_generations import SqlGenerationRows
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
    SqlGenerationRows,
):
    """The registry's rows within one session; see `registry.port.Rows`."""


class SqlStore:
    """The registry's rows in SQLite or PostgreSQL; one session per transaction."""

    def __init__(self, engine: Engine, audience: Audience) -> None:
        """Keep rows in a database at today's schema; `audience` hears of every change."""
        self._audience = audience
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
        advanced: Advanced = {}
        try:
            with failures_named(self._url), Session(self._writes) as session, session.begin():
                rows = SqlRows(session)
                yield rows
                advanced = rows.advance()
                if advanced:
                    self._audience.before(advanced)
        except RegistryUnavailable:
            # The commit may have taken place all the same, and only its word be lost.
            if advanced:
                self._audience.after(advanced)
            raise
        if advanced:
            self._audience.after(advanced)

    def close(self) -> None:
        """Give connections back."""
        self._reads.dispose()


def open_store(settings: RegistrySettings, audience: Audience | None = None) -> SqlStore:
    """Open the registry's database, with whom to tell of changes.

    A file of SQLite is made ready, if it is new or of an older schema; a server's database is
    made ready by `nightshift db upgrade` only. Raises `RegistryUnavailable` when it cannot be
    opened, `SchemaMismatch` when its schema is not the one that this program knows.
    """
    make_ready(settings)
    return SqlStore(open_engine(settings), audience or Nobody())
