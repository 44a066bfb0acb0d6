"""Check that many who change the registry at once, on a real PostgreSQL, lose nothing."""

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import psycopg
import pytest

from cli.stack.postgres import LocalPostgres
from registry.catalog import Catalog
from registry.conflicts import AliasMoved
from registry.domain import ModelVersion, Signature, TensorSpec
from registry.errors import RegistryUnavailable
from registry.schema import upgrade
from registry.settings import RegistrySettings
from registry.store import open_store

SIGNATURE = Signature((TensorSpec("x", "FP32", (-1, 1)),), (TensorSpec("y", "FP32", (-1, 1)),))


def _register(catalog: Catalog, model: str, number: int, by: str) -> ModelVersion:
    return catalog.register(
        model,
        signature=SIGNATURE,
        digest=f"sha256:{number:064x}",
        served_name=model,
        served_version="1",
        by=by,
    )


def test_one_of_many_wins_a_compare(postgres_url: str) -> None:
    """Of 16 who saw the same alias, one moves it; the others learn where it is now."""
    store = open_store(RegistrySettings(database_url=postgres_url, database_connections=16))
    catalog = Catalog(store)
    for number in range(1, 18):
        _register(catalog, "flights", number, "ada")
    seen = catalog.set_alias("flights", "champion", 17)
    start = threading.Barrier(16)

    def move(number: int) -> AliasMoved | None:
        start.wait(30)
        try:
            catalog.set_alias("flights", "champion", number, if_revision=seen.revision)
        except AliasMoved as error:
            return error
        return None

    with ThreadPoolExecutor(16) as pool:
        lost = [error for error in pool.map(move, range(1, 17)) if error is not None]
    now = catalog.alias("flights", "champion")
    assert [error.now for error in lost] == [now] * 15
    store.close()


def test_a_killed_postgres_is_told_and_comes_back(
    postgres_factory: Callable[[], LocalPostgres],
) -> None:
    """Every question and change fails by name, nothing acknowledged is lost, and work goes on."""
    server = postgres_factory()
    settings = RegistrySettings(database_url=server.url())
    upgrade(settings)
    store = open_store(settings)
    catalog = Catalog(store)
    for number in (1, 2):
        _register(catalog, "flights", number, "ada")
    server.kill()
    away = r"127\.0\.0\.1.*cannot be used"
    for _ in range(3):
        with pytest.raises(RegistryUnavailable, match=away):
            catalog.model("flights")
        with pytest.raises(RegistryUnavailable, match=away):
            _register(catalog, "flights", 3, "ada")
    with pytest.raises(RegistryUnavailable, match=away):
        open_store(settings)
    server.start()
    assert catalog.model("flights").last_version == 2
    assert _register(catalog, "flights", 3, "ada").version == 3
    store.close()


def test_a_writer_that_hangs_on_a_server_does_not_hold_others_for_good(postgres_url: str) -> None:
    """The wait for a row's lock is bounded, as on SQLite."""
    settings = RegistrySettings(database_url=postgres_url, database_busy_timeout_s=0.2)
    store = open_store(settings)
    catalog = Catalog(store)
    catalog.create_model("flights")
    with store.writing() as rows:
        rows.lock_model("flights")
        with pytest.raises(RegistryUnavailable, match="lock timeout"):
            _register(catalog, "flights", 1, "ada")
    store.close()


def test_every_page_costs_the_same(postgres_url: str) -> None:
    """The plan of a late page is that of the first: one range of an index, without sorting."""
    store = open_store(RegistrySettings(database_url=postgres_url))
    catalog = Catalog(store)
    _register(catalog, "flights", 1, "ada")
    store.close()
    with psycopg.connect(postgres_url.replace("+psycopg", "")) as connection:
        connection.execute(
            "INSERT INTO versions SELECT model_id, n, n::text, digest, served_name, "
            "served_version, signature, columns, artifact, description, created_at, "
            "created_by FROM versions, generate_series(2, 20000) n"
        )
        connection.execute("ANALYZE")
        for after in (20_000, 100):
            plan = connection.execute(
                "EXPLAIN SELECT * FROM versions WHERE model_id = 1 AND deleted_at IS NULL "
                f"AND number < {after} ORDER BY number DESC LIMIT 50"
            ).fetchall()
            told = "\n".join(line for (line,) in plan)
            assert "Index Scan Backward using pk_versions" in told
            assert "Sort" not in told
