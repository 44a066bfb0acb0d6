"""Give tests a real PostgreSQL and a real Redis; each xdist worker has its own."""

import secrets
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from cli.stack.postgres import LocalPostgres
from cli.stack.redis import LocalRedis
from registry.schema import upgrade
from registry.settings import RegistrySettings

_TEMPLATE = "migrated"
# Tests kill the process, never the machine: what it wrote is in the page cache.
_FAST = ("fsync=off", "full_page_writes=off")


@pytest.fixture(scope="session")
def postgres_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalPostgres]:
    """A real PostgreSQL; do not stop it."""
    with _postgres(tmp_path_factory.mktemp("postgres") / "log") as server:
        yield server


@pytest.fixture(scope="session")
def postgres_template(postgres_server: LocalPostgres) -> str:
    """Name of a database at today's schema, of which tests get copies."""
    postgres_server.execute(f"CREATE DATABASE {_TEMPLATE}")
    upgrade(RegistrySettings(database_url=postgres_server.url(_TEMPLATE)))
    return _TEMPLATE


@pytest.fixture
def postgres_url(postgres_server: LocalPostgres, postgres_template: str) -> Iterator[str]:
    """URL of an empty registry on PostgreSQL, at today's schema."""
    name = f"test_{secrets.token_hex(8)}"
    postgres_server.execute(f"CREATE DATABASE {name} TEMPLATE {postgres_template}")
    yield postgres_server.url(name)
    postgres_server.execute(f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture
def bare_postgres_url(postgres_server: LocalPostgres) -> Iterator[str]:
    """URL of a database on PostgreSQL without tables."""
    name = f"test_{secrets.token_hex(8)}"
    postgres_server.execute(f"CREATE DATABASE {name}")
    yield postgres_server.url(name)
    postgres_server.execute(f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture(scope="session")
def redis_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalRedis]:
    """A real Redis; do not stop it."""
    folder = tmp_path_factory.mktemp("redis")
    with LocalRedis(folder, log=folder / "log") as server:
        yield server


@pytest.fixture
def redis_url(redis_server: LocalRedis) -> str:
    """URL of an empty Redis."""
    assert redis_server.ask(b"FLUSHALL") == b"+OK\r\n"
    return redis_server.url


@pytest.fixture
def redis_factory(tmp_path: Path) -> Iterator[Callable[[], LocalRedis]]:
    """Start more Redises that a test may kill, pause and start again."""
    with ExitStack() as running:

        def start() -> LocalRedis:
            folder = tmp_path / f"redis-{secrets.token_hex(4)}"
            return running.enter_context(LocalRedis(folder, log=folder.with_suffix(".log")))

        yield start


@pytest.fixture
def postgres_factory(tmp_path: Path) -> Iterator[Callable[[], LocalPostgres]]:
    """Start more PostgreSQLs that a test may kill and start again."""
    with ExitStack() as running:

        def start() -> LocalPostgres:
            log = tmp_path / f"postgres-{secrets.token_hex(4)}.log"
            return running.enter_context(_postgres(log))

        yield start


@contextmanager
def _postgres(log: Path) -> Iterator[LocalPostgres]:
    """Run a PostgreSQL whose data ends with the block.

    Its folder is none of pytest's, which root's PostgreSQL, the user nobody, may not go through.
    """
    with ExitStack() as running:
        folder = Path(running.enter_context(tempfile.TemporaryDirectory(prefix="nightshift-")))
        folder.chmod(0o711)
        server = LocalPostgres(folder / "postgres", log=log, settings=_FAST)
        yield running.enter_context(server)
