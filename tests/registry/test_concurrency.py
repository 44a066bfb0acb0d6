"""Check that many who change the registry at once, on a real PostgreSQL, lose nothing."""

import random
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

import psycopg
import pytest

from cli.stack.postgres import LocalPostgres
from registry.catalog import Catalog
from registry.conflicts import AliasMoved, InUse
from registry.domain import ModelVersion, Signature, TensorSpec
from registry.errors import RegistryUnavailable, UnknownVersion
from registry.events import replay
from registry.fleet import Fleet
from registry.pages import EventFilter
from registry.schema import upgrade
from registry.settings import RegistrySettings
from registry.store import open_store
from registry.uses import Use, UseKind
from tests.chaos.seeds import Chaos

CLIENTS = 32
MODELS = ("flights", "planes")
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


class Client:
    """One of many who register, move, claim and delete."""

    def __init__(self, catalog: Catalog, fleet: Fleet, number: int, chance: random.Random) -> None:
        self.catalog = catalog
        self.fleet = fleet
        self.number = number
        self.chance = chance
        self.registered: list[ModelVersion] = []
        self.moved: list[tuple[str, int, int]] = []

    def work(self, turns: int) -> None:
        """Do each thing once in every turn."""
        for turn in range(turns):
            model = self.chance.choice(MODELS)
            content = (self.number + 1) * 10_000 + turn
            version = _register(self.catalog, model, content, f"client {self.number}")
            self.registered.append(version)
            self._move(model, version.version)
            self._use(model, version.version)
            with suppress(InUse, UnknownVersion):
                self.catalog.delete_version(model, self.chance.randint(1, version.version))

    def _move(self, model: str, number: int) -> None:
        """Move `champion` from where it was seen, until nobody else was faster."""
        with suppress(UnknownVersion):
            while True:
                aliases = {alias.name: alias for alias in self.catalog.aliases(model).items}
                left = aliases["champion"].version if "champion" in aliases else 0
                if left == number:
                    return
                with suppress(AliasMoved):
                    self.catalog.set_alias(
                        model, "champion", number, by=f"client {self.number}", from_version=left
                    )
                    self.moved.append((model, left, number))
                    return

    def _use(self, model: str, number: int) -> None:
        """Claim and place a version while others delete; what is claimed is there."""
        job = f"{self.number}-{number}"
        with suppress(UnknownVersion):
            self.catalog.claim(Use(UseKind.JOB, job, model, number))
            assert self.catalog.version(model, number).version == number
            self.fleet.place("gpu", model, number)
            with pytest.raises(InUse):
                self.catalog.delete_version(model, number)
            self.fleet.withdraw("gpu", model, number)
        self.catalog.release(UseKind.JOB, job)


@pytest.mark.chaos
def test_thirty_two_clients_lose_nothing(postgres_url: str, chaos: Chaos) -> None:
    """No gap in a history, no number twice, no lost move, no deadlock."""
    turns = chaos.count(60, sample=1)
    settings = RegistrySettings(database_url=postgres_url, database_connections=CLIENTS)
    store = open_store(settings)
    catalog, fleet = Catalog(store), Fleet(store)
    fleet.create_pool("gpu")
    chance = chaos.random()
    clients = [
        Client(catalog, fleet, number, random.Random(chance.random())) for number in range(CLIENTS)
    ]
    with ThreadPoolExecutor(CLIENTS) as pool:
        list(pool.map(lambda client: client.work(turns), clients))
    for model in MODELS:
        numbers = sorted(v.version for c in clients for v in c.registered if v.name == model)
        assert numbers == list(range(1, catalog.model(model).last_version + 1))
        events = catalog.events(EventFilter(model=model)).items[::-1]
        own = [event for event in events if event.pool is None]
        assert [event.revision for event in own] == list(range(1, len(own) + 1))
        assert [event.at for event in own] == sorted(event.at for event in own)
        moves = [(event.from_version or 0, event.version) for event in own if event.alias]
        assert [left for left, _ in moves[1:]] == [to for _, to in moves[:-1]]
        acknowledged = [(left, to) for c in clients for name, left, to in c.moved if name == model]
        assert sorted(acknowledged) == sorted(moves)
        found = {(model, alias.name): alias.version for alias in catalog.aliases(model).items}
        assert replay(own) == found
        assert catalog.uses(model) == ()
    pool_events = catalog.events(EventFilter(pool="gpu")).items[::-1]
    assert [event.revision for event in pool_events] == list(range(1, len(pool_events) + 1))
    assert fleet.placements() == ()
    chaos.tell(f"{len(clients) * turns} versions, {sum(len(c.moved) for c in clients)} moves")
    store.close()


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
