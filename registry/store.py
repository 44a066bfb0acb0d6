"""Keep the registry's rows in a SQL database."""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import Connection, Engine, ScalarSelect, Select, create_engine, event, select
from sqlalchemy.engine import URL, make_url
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.exc import ArgumentError, DBAPIError, IntegrityError, NoSuchModuleError
from sqlalchemy.orm import Session
from sqlalchemy.pool import ConnectionPoolEntry

from registry.domain import Alias, AliasMove, Model, ModelVersion
from registry.errors import RegistryUnavailable
from registry.settings import RegistrySettings
from registry.tables import AliasMoveRow, AliasRow, Base, ModelRow, VersionRow

_WRITES = "nightshift_writes"
"""Execution option of a connection whose transactions take SQLite's write lock as they begin."""

_INTEGER_MAX = 2**31 - 1
"""Largest number that an INTEGER column of PostgreSQL holds."""


class SqlRows:
    """The registry's rows within one session."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def model(self, name: str) -> Model | None:
        """Return the model, or None."""
        row = self._session.scalar(select(ModelRow).where(ModelRow.name == name))
        return row.value() if row else None

    def models(self) -> tuple[Model, ...]:
        """Return every model, by name."""
        rows = self._session.scalars(select(ModelRow).order_by(ModelRow.name))
        return tuple(row.value() for row in rows)

    def lock_model(self, name: str) -> Model | None:
        """Return the model, or None, and keep other writers off it until the transaction ends."""
        row = self._locked(name)
        return row.value() if row else None

    def add_model(self, model: Model) -> Model:
        """Add the model unless it exists, and lock it; return it as it now is."""
        if self._locked(model.name) is None:
            self._insert(model)
        return self._owner(model.name).value()

    def next_version(self, model: str) -> int:
        """Raise the locked model's `last_version` by one and return it."""
        row = self._owner(model)
        row.last_version += 1
        self._session.flush()
        return row.last_version

    def version(self, model: str, number: int) -> ModelVersion | None:
        """Return the version, or None."""
        if number > _INTEGER_MAX:
            return None
        row = self._session.scalar(_versions(model).where(VersionRow.number == number))
        return row.value(model) if row else None

    def versions(self, model: str) -> tuple[ModelVersion, ...]:
        """Return the model's versions, newest first."""
        rows = self._session.scalars(_versions(model).order_by(VersionRow.number.desc()))
        return tuple(row.value(model) for row in rows)

    def version_by_content(self, model: str, content: str) -> ModelVersion | None:
        """Return the version that was added under this content digest, or None."""
        row = self._session.scalar(_versions(model).where(VersionRow.content_sha256 == content))
        return row.value(model) if row else None

    def add_version(self, version: ModelVersion, *, content: str) -> None:
        """Add a version, with its `created_at`, to the locked model."""
        owner = self._owner(version.name)
        self._session.add(VersionRow.of(version, model_id=owner.id, content=content))
        self._session.flush()

    def alias(self, model: str, name: str) -> Alias | None:
        """Return the alias, or None."""
        row = self._session.scalar(_aliases(model).where(AliasRow.name == name))
        return row.value(model) if row else None

    def aliases(self, model: str) -> tuple[Alias, ...]:
        """Return the model's aliases, by name."""
        rows = self._session.scalars(_aliases(model).order_by(AliasRow.name))
        return tuple(row.value(model) for row in rows)

    def put_alias(self, alias: Alias) -> None:
        """Add the alias to the locked model, or move it."""
        self._session.merge(
            AliasRow(
                model_id=self._owner(alias.model).id,
                name=alias.name,
                version=alias.version,
                moved_at=alias.moved_at,
            )
        )
        self._session.flush()

    def moves(self, model: str, alias: str | None) -> tuple[AliasMove, ...]:
        """Return the history of one alias, or of all of the model's, newest first."""
        found = select(AliasMoveRow).where(AliasMoveRow.model_id == _model_id(model))
        if alias is not None:
            found = found.where(AliasMoveRow.alias == alias)
        rows = self._session.scalars(found.order_by(AliasMoveRow.id.desc()))
        return tuple(row.value(model) for row in rows)

    def add_move(self, move: AliasMove) -> None:
        """Add a line to the locked model's history."""
        self._session.add(
            AliasMoveRow(
                model_id=self._owner(move.model).id,
                alias=move.alias,
                at=move.at,
                by=move.by,
                from_version=move.from_version,
                to_version=move.to_version,
                why=move.why,
            )
        )
        self._session.flush()

    def _locked(self, name: str) -> ModelRow | None:
        found = select(ModelRow).where(ModelRow.name == name).with_for_update()
        return self._session.scalar(found.execution_options(populate_existing=True))

    def _owner(self, name: str) -> ModelRow:
        return self._session.scalars(select(ModelRow).where(ModelRow.name == name)).one()

    def _insert(self, model: Model) -> None:
        row = ModelRow(
            name=model.name,
            description=model.description,
            last_version=model.last_version,
            created_at=model.created_at,
        )
        try:
            with self._session.begin_nested():
                self._session.add(row)
        except IntegrityError:
            # Another process added it between the look and the insert: its row counts.
            self._locked(model.name)


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


def _model_id(name: str) -> ScalarSelect[int]:
    return select(ModelRow.id).where(ModelRow.name == name).scalar_subquery()


def _versions(model: str) -> Select[VersionRow]:
    return select(VersionRow).where(VersionRow.model_id == _model_id(model))


def _aliases(model: str) -> Select[AliasRow]:
    return select(AliasRow).where(AliasRow.model_id == _model_id(model))
