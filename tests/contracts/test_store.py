"""Check what every registry store promises, on SQLite and on the twin in memory."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from threading import Barrier, Thread

import pytest

from registry.domain import Alias, AliasMove, Model, ModelVersion, Signature, TensorSpec
from registry.port import Store
from registry.settings import RegistrySettings
from registry.store import open_store
from tests.contracts.memory_store import MemoryStore

NOON = datetime(2026, 5, 3, 12, 0, 0, 123456, tzinfo=UTC)
FLIGHTS = Model("flights", "arrival delays", 0, NOON)
FIRST = ModelVersion(
    name="flights",
    version=1,
    signature=Signature(
        inputs=(TensorSpec("features", "FP32", (-1, 2)), TensorSpec("text", "BYTES", (-1,))),
        outputs=(TensorSpec("delay", "FP32", (-1, 1)),),
        max_batch_size=64,
    ),
    digest="sha256:" + "0" * 64,
    served_name="flights",
    served_version="1",
    columns={"features": ("b", "a"), "text": ("origin",)},
    artifact="file:///models/flights.onnx",
    description="the first",
    created_at=NOON,
    created_by="ada",
)


@pytest.fixture(params=["memory", "sqlite"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Store]:
    url = f"sqlite:///{tmp_path}/registry.db"
    found: Store = (
        MemoryStore()
        if request.param == "memory"
        else open_store(RegistrySettings(database_url=url))
    )
    yield found
    found.close()


def _fill(store: Store) -> None:
    with store.writing() as rows:
        rows.add_model(FLIGHTS)
        for number in (1, 2):
            assert rows.next_version("flights") == number
            rows.add_version(replace(FIRST, version=number), content=f"content {number}")


def test_a_new_store_is_empty(store: Store) -> None:
    """A store that nobody wrote to answers every question, with nothing."""
    with store.reading() as rows:
        assert rows.models() == ()
        assert rows.model("flights") is None
        assert rows.lock_model("flights") is None
        assert rows.versions("flights") == ()
        assert rows.version("flights", 1) is None
        assert rows.version_by_content("flights", "content 1") is None
        assert rows.aliases("flights") == ()
        assert rows.alias("flights", "champion") is None
        assert rows.moves("flights", None) == ()


def test_versions_come_back_whole(store: Store) -> None:
    """Every field of a model and its versions survives the store, newest first."""
    _fill(store)
    with store.reading() as rows:
        assert rows.models() == (replace(FLIGHTS, last_version=2),)
        assert rows.versions("flights") == (replace(FIRST, version=2), FIRST)
        assert rows.version("flights", 1) == FIRST
        assert rows.version("flights", 3) is None
        assert rows.version("flights", 10**30) is None
        assert rows.version_by_content("flights", "content 2") == replace(FIRST, version=2)


def test_models_are_listed_by_name(store: Store) -> None:
    """The order does not depend on when a model was added."""
    with store.writing() as rows:
        for name in ("b", "a", "c"):
            rows.add_model(Model(name, "", 0, NOON))
    with store.reading() as rows:
        assert [model.name for model in rows.models()] == ["a", "b", "c"]


def test_adding_a_model_again_keeps_the_first(store: Store) -> None:
    """A model that exists is returned as it is, with the numbers it has given."""
    _fill(store)
    with store.writing() as rows:
        again = rows.add_model(Model("flights", "other words", 0, NOON + timedelta(days=1)))
    assert again == replace(FLIGHTS, last_version=2)


def test_aliases_move_and_their_history_stays(store: Store) -> None:
    """An alias has one place, its history every move in order, also within one instant."""
    _fill(store)
    moves = (
        AliasMove("flights", "champion", NOON, "ada", None, 1, "first"),
        AliasMove("flights", "champion", NOON, "bob", 1, 2, ""),
        AliasMove("flights", "challenger", NOON, "bob", None, 1, "try"),
    )
    with store.writing() as rows:
        for move in moves:
            rows.put_alias(Alias("flights", move.alias, move.to_version, move.at))
            rows.add_move(move)
    with store.reading() as rows:
        assert rows.alias("flights", "champion") == Alias("flights", "champion", 2, NOON)
        assert rows.aliases("flights") == (
            Alias("flights", "challenger", 1, NOON),
            Alias("flights", "champion", 2, NOON),
        )
        assert rows.moves("flights", None) == tuple(reversed(moves))
        assert rows.moves("flights", "champion") == (moves[1], moves[0])


def test_models_do_not_mix(store: Store) -> None:
    """Rows of one model are not found under another's name."""
    _fill(store)
    with store.writing() as rows:
        rows.add_model(Model("other", "", 0, NOON))
        rows.put_alias(Alias("flights", "champion", 1, NOON))
    with store.reading() as rows:
        assert rows.versions("other") == ()
        assert rows.version_by_content("other", "content 1") is None
        assert rows.alias("other", "champion") is None


def test_a_failed_transaction_leaves_no_trace(store: Store) -> None:
    """What was written before an exception is gone, the version number with it."""
    _fill(store)

    def fail() -> None:
        with store.writing() as rows:
            rows.add_model(Model("other", "", 0, NOON))
            rows.next_version("flights")
            rows.put_alias(Alias("flights", "champion", 1, NOON))
            raise KeyError

    with pytest.raises(KeyError):
        fail()
    with store.reading() as rows:
        assert rows.models() == (replace(FLIGHTS, last_version=2),)
        assert rows.aliases("flights") == ()


def test_a_reader_sees_one_state(store: Store) -> None:
    """A commit by another does not show within a transaction that has begun to read."""
    with store.reading() as rows:
        assert rows.models() == ()
        _fill(store)
        assert rows.versions("flights") == ()


def test_threads_count_without_gap_or_repeat(store: Store) -> None:
    """Eight writers at once get each number once."""
    with store.writing() as rows:
        rows.add_model(FLIGHTS)
    given: list[int] = []
    start = Barrier(8)

    def count() -> None:
        start.wait()
        for _ in range(5):
            with store.writing() as rows:
                rows.lock_model("flights")
                given.append(rows.next_version("flights"))

    threads = [Thread(target=count) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(given) == list(range(1, 41))
