"""Check what every registry store promises: on SQLite, PostgreSQL and the twin in memory."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from threading import Barrier, Thread
from typing import Any

import pytest

from registry.domain import Alias, Approval, Model, ModelVersion, Signature, TensorSpec
from registry.events import Event, EventKind
from registry.generations import EVERYTHING, UNTOUCHED
from registry.pages import EventFilter, ModelFilter, TagFilter, VersionFilter
from registry.pools import Placement, Pool, PoolServer, ServerState
from registry.port import Rows, Store
from registry.routes import Route, Share
from registry.uses import Use, UseKind
from tests.contracts.audience import Heard

NOON = datetime(2026, 5, 3, 12, 0, 0, 123456, tzinfo=UTC)
FLIGHTS = Model(
    "flights", "arrival delays", 0, NOON, "ada", {"team": "sky"}, ("champion",), 0, NOON
)
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
    tags={"kind": "trees", "stage": "trial"},
)
GPU = Pool("gpu", "the two big ones", NOON, "ada", 0, NOON)
SERVER = PoolServer("gpu", "triton:8001", ServerState.ACTIVE, NOON, "ada", 1)
MOVED = Event(EventKind.ALIAS_MOVED, NOON, "ada", 1, "flights", None, 1, "champion", None)
ALL_MODELS, ALL_VERSIONS = ModelFilter(), VersionFilter()


def _fill(store: Store) -> None:
    with store.writing() as rows:
        assert rows.add_model(FLIGHTS) == (FLIGHTS, True)
        for number in (1, 2):
            rows.add_version(replace(FIRST, version=number), content=f"content {number}")


def _models(rows: Rows) -> tuple[Model, ...]:
    return rows.models(ALL_MODELS, after=None, limit=None)


def _versions(rows: Rows, model: str = "flights") -> tuple[ModelVersion, ...]:
    return rows.versions(model, ALL_VERSIONS, after=None, limit=None)


def test_a_new_store_is_empty(store: Store) -> None:
    """A store that nobody wrote to answers every question, with nothing."""
    with store.reading() as rows:
        assert _models(rows) == ()
        assert rows.model("flights") is None
        assert rows.lock_model("flights") is None
        assert _versions(rows) == ()
        assert rows.version("flights", 1) is None
        assert rows.version_by_content("flights", "content 1") is None
        assert rows.aliases("flights", after=None, limit=None) == ()
        assert rows.alias("flights", "champion") is None
        assert rows.approvals("flights", 1) == ()
        assert rows.uses("flights", None) == ()
        assert rows.pool("gpu") is None
        assert rows.lock_pool("gpu") is None
        assert rows.pools(prefix="", after=None, limit=None) == ()
        assert rows.server("gpu", "triton:8001") is None
        assert rows.servers("gpu", removed=True, after=None, limit=None) == ()
        assert rows.placements() == ()
        assert rows.events(EventFilter(), after=None, limit=None) == ()
        assert rows.events(EventFilter(), after=7, limit=None) == ()


def test_versions_come_back_whole(store: Store) -> None:
    """Every field of a model and its versions survives the store, newest first."""
    _fill(store)
    with store.reading() as rows:
        assert _models(rows) == (FLIGHTS,)
        assert _versions(rows) == (replace(FIRST, version=2), FIRST)
        assert rows.version("flights", 1) == FIRST
        assert rows.version("flights", 3) is None
        assert rows.version("flights", 10**30) is None
        assert rows.version_by_content("flights", "content 2") == replace(FIRST, version=2)


def test_what_may_change_of_a_model_is_kept(store: Store) -> None:
    """Description, tags, protected aliases and numbers are written anew."""
    _fill(store)
    changed = replace(
        FLIGHTS,
        description="delays",
        last_version=2,
        tags={"team": "ground", "tier": "1"},
        protected=("challenger", "champion"),
        revision=5,
        changed_at=NOON + timedelta(days=1),
    )
    with store.writing() as rows:
        assert rows.lock_model("flights") == FLIGHTS
        rows.put_model(changed)
    with store.reading() as rows:
        assert rows.model("flights") == changed
    with store.writing() as rows:
        rows.put_model(replace(changed, tags={}))
    with store.reading() as rows:
        assert rows.model("flights") == replace(changed, tags={})


def test_models_are_found(store: Store) -> None:
    """By how the name begins, a tag, who registered them; by name, in pages."""
    with store.writing() as rows:
        for name in ("b", "a", "Z", "b-2", "b.1", "b_3", "b1"):
            by = "ada" if name.startswith("b") else "bob"
            rows.add_model(Model(name, "", 0, NOON, by, {"n": name, "all": "1"}))

    def names(after: str | None = None, limit: int | None = None, **wanted: Any) -> list[str]:
        with store.reading() as rows:
            found = rows.models(replace(ALL_MODELS, **wanted), after=after, limit=limit)
            return [model.name for model in found]

    everything = ["Z", "a", "b", "b-2", "b.1", "b1", "b_3"]
    assert names() == everything
    assert names(prefix="b") == everything[2:]
    assert names(prefix="b.") == ["b.1"]
    assert names(prefix="c") == []
    assert names(created_by="bob") == ["Z", "a"]
    assert names(tag=TagFilter("n")) == everything
    assert names(tag=TagFilter("n", "a")) == ["a"]
    assert names(tag=TagFilter("m", "a")) == []
    assert names(limit=2) == ["Z", "a"]
    assert names(after="a", limit=2) == ["b", "b-2"]
    assert names(after="b0", prefix="b", created_by="ada", tag=TagFilter("all", "1")) == [
        "b1",
        "b_3",
    ]


def test_versions_are_found(store: Store) -> None:
    """By a tag or who registered them; newest first, in pages."""
    with store.writing() as rows:
        rows.add_model(FLIGHTS)
        for number in range(1, 7):
            tags = {"parity": "even" if number % 2 == 0 else "odd"}
            by = "ada" if number < 4 else "bob"
            draft = replace(FIRST, version=number, tags=tags, created_by=by)
            rows.add_version(draft, content=str(number))

    def numbers(after: int | None = None, limit: int | None = None, **wanted: Any) -> list[int]:
        with store.reading() as rows:
            chosen = replace(ALL_VERSIONS, **wanted)
            found = rows.versions("flights", chosen, after=after, limit=limit)
            return [version.version for version in found]

    assert numbers() == [6, 5, 4, 3, 2, 1]
    assert numbers(limit=2) == [6, 5]
    assert numbers(after=5, limit=2) == [4, 3]
    assert numbers(after=10**30) == [6, 5, 4, 3, 2, 1]
    assert numbers(tag=TagFilter("parity", "odd")) == [5, 3, 1]
    assert numbers(tag=TagFilter("parity", "odd"), after=5, limit=1) == [3]
    assert numbers(tag=TagFilter("parity"), limit=3) == [6, 5, 4]
    assert numbers(tag=TagFilter("stage", "trial")) == []
    assert numbers(created_by="ada") == [3, 2, 1]
    assert numbers(created_by="ada", tag=TagFilter("parity", "even")) == [2]


def test_adding_a_model_again_keeps_the_first(store: Store) -> None:
    """A model that exists is returned as it is."""
    _fill(store)
    with store.writing() as rows:
        again = rows.add_model(Model("flights", "other words", 0, NOON + timedelta(days=1)))
    assert again == (FLIGHTS, False)


def test_a_deleted_model_keeps_its_numbers(store: Store) -> None:
    """Nothing of it is found any more; taken up again, it counts on behind the same gate."""
    _fill(store)
    with store.writing() as rows:
        gone = replace(FLIGHTS, last_version=2, revision=9, tags={}, protected=("champion",))
        rows.put_model(gone)
        rows.delete_model("flights", NOON)
    with store.writing() as rows:
        assert (rows.model("flights"), rows.lock_model("flights")) == (None, None)
        assert (_models(rows), _versions(rows), rows.version("flights", 1)) == ((), (), None)
        assert rows.version_by_content("flights", "content 1") is None
        later = NOON + timedelta(days=1)
        draft = Model("flights", "anew", 0, later, "bob", {"a": "b"})
        found, added = rows.add_model(draft)
        assert added
        assert found == replace(
            draft, last_version=2, revision=9, changed_at=NOON, protected=("champion",)
        )
        rows.add_version(replace(FIRST, version=3), content="content 1")
    with store.reading() as rows:
        assert _versions(rows) == (replace(FIRST, version=3),)
        assert _models(rows) == (found,)


def test_a_deleted_version_is_gone(store: Store) -> None:
    """Its content may be registered again, under another number."""
    _fill(store)
    with store.writing() as rows:
        rows.delete_version("flights", 2, NOON)
        assert rows.version_by_content("flights", "content 2") is None
        rows.add_version(replace(FIRST, version=3), content="content 2")
    with store.reading() as rows:
        assert _versions(rows) == (replace(FIRST, version=3), FIRST)
        assert rows.version("flights", 2) is None


def test_aliases_move_and_go(store: Store) -> None:
    """An alias has one place; aliases are listed by name, in pages, and by version."""
    _fill(store)
    champion = Alias("flights", "champion", 2, NOON, 4)
    with store.writing() as rows:
        rows.put_alias(Alias("flights", "champion", 1, NOON, 3))
        rows.put_alias(champion)
        for name in ("b", "a"):
            rows.put_alias(Alias("flights", name, 1, NOON, 5))
    with store.reading() as rows:
        assert rows.alias("flights", "champion") == champion
        a, b = (Alias("flights", name, 1, NOON, 5) for name in ("a", "b"))
        assert rows.aliases("flights", after=None, limit=None) == (a, b, champion)
        assert rows.aliases("flights", after="a", limit=1) == (b,)
        assert rows.aliases("flights", after=None, limit=None, version=2) == (champion,)
    with store.writing() as rows:
        rows.delete_alias("flights", "champion")
    with store.reading() as rows:
        assert rows.aliases("flights", after=None, limit=None) == (a, b)


def test_approvals_stay_with_their_version(store: Store) -> None:
    """They are listed by who gave them."""
    _fill(store)
    given = (
        Approval("flights", 1, "ada", NOON, ""),
        Approval("flights", 1, "bob", NOON, "measured"),
    )
    with store.writing() as rows:
        for approval in reversed(given):
            rows.add_approval(approval)
    with store.reading() as rows:
        assert rows.approvals("flights", 1) == given
        assert rows.approvals("flights", 2) == ()


def test_uses_are_counted_once(store: Store) -> None:
    """A job or route is named once for what it uses, until it lets go of everything."""
    _fill(store)
    job = Use(UseKind.JOB, "7", "flights", 1)
    route = Use(UseKind.ROUTE, "live", "flights", None)
    other = Use(UseKind.JOB, "8", "flights", 2)
    with store.writing() as rows:
        for use in (job, route, other, job):
            rows.add_use(use)
    with store.reading() as rows:
        assert rows.uses("flights", None) == (job, other, route)
        assert rows.uses("flights", 1) == (job,)
    with store.writing() as rows:
        assert rows.remove_uses(UseKind.JOB, "7") == (job,)
        assert rows.remove_uses(UseKind.JOB, "live") == ()
        assert rows.uses("flights", None) == (other, route)


def test_pools_come_back_whole(store: Store) -> None:
    """Every field survives; a deleted pool is gone and counts on when it comes again."""
    with store.writing() as rows:
        assert rows.add_pool(GPU) == (GPU, True)
        assert rows.add_pool(replace(GPU, description="other")) == (GPU, False)
        rows.add_pool(replace(GPU, name="cpu"))
    changed = replace(GPU, description="four", revision=3, changed_at=NOON + timedelta(days=1))
    with store.writing() as rows:
        assert rows.lock_pool("gpu") == GPU
        rows.put_pool(changed)
    with store.writing() as rows:
        assert rows.pool("gpu") == changed
        cpu = replace(GPU, name="cpu")
        assert rows.pools(prefix="", after=None, limit=None) == (cpu, changed)
        assert rows.pools(prefix="g", after=None, limit=None) == (changed,)
        assert rows.pools(prefix="", after="cpu", limit=1) == (changed,)
        assert rows.pools(prefix="", after=None, limit=1) == (cpu,)
        rows.delete_pool("gpu", NOON)
        assert (rows.pool("gpu"), rows.lock_pool("gpu")) == (None, None)
        assert rows.pools(prefix="", after=None, limit=None) == (cpu,)
        anew = Pool("gpu", "anew", NOON, "bob")
        counted = replace(anew, revision=3, changed_at=changed.changed_at)
        assert rows.add_pool(anew) == (counted, True)


def test_a_server_is_in_one_pool(store: Store) -> None:
    """One that another pool has is left there; a removed one may be taken over."""
    other = replace(SERVER, pool="cpu")
    with store.writing() as rows:
        rows.add_pool(GPU)
        rows.add_pool(replace(GPU, name="cpu"))
        assert rows.put_server(SERVER) == "gpu"
        assert rows.put_server(other) == "gpu"
        assert rows.server("cpu", "triton:8001") is None
        draining = replace(SERVER, state=ServerState.DRAINING, revision=2)
        assert rows.put_server(draining) == "gpu"
        assert rows.server("gpu", "triton:8001") == draining
        second = replace(SERVER, url="triton:9001")
        assert rows.put_server(second) == "gpu"
        assert rows.servers("gpu", removed=False, after=None, limit=None) == (draining, second)
        assert rows.servers("gpu", removed=False, after="triton:8001", limit=9) == (second,)
        assert rows.servers("gpu", removed=False, after=None, limit=1) == (draining,)
        removed = replace(SERVER, state=ServerState.REMOVED)
        assert rows.put_server(removed) == "gpu"
        assert rows.put_server(other) == "cpu"
    with store.reading() as rows:
        assert rows.servers("gpu", removed=False, after=None, limit=None) == (second,)
        assert rows.servers("gpu", removed=True, after=None, limit=None) == (removed, second)
        assert rows.servers("cpu", removed=False, after=None, limit=None) == (other,)


def test_placements_are_found(store: Store) -> None:
    """By pool, by model, by version."""
    _fill(store)
    wished = [Placement("gpu", "flights", number, NOON, "ada") for number in (1, 2)]
    with store.writing() as rows:
        rows.add_pool(GPU)
        rows.add_pool(replace(GPU, name="cpu"))
        rows.add_model(Model("other", "", 0, NOON))
        for placement in reversed(wished):
            rows.add_placement(placement)
    with store.writing() as rows:
        assert rows.placements() == tuple(wished)
        assert rows.placements(pool="gpu", model="flights", version=2) == (wished[1],)
        assert rows.placements(pool="cpu") == ()
        assert rows.placements(model="other") == ()
        rows.remove_placement("gpu", "flights", 1)
    with store.reading() as rows:
        assert rows.placements(pool="gpu") == (wished[1],)


def test_events_are_found(store: Store) -> None:
    """Newest first, also within one instant; by every filter; in pages."""
    _fill(store)
    later = NOON + timedelta(hours=1)
    drafts = (
        MOVED,
        replace(MOVED, revision=2, by="bob", version=2, from_version=1, why="better"),
        replace(MOVED, revision=3, at=later, alias="challenger"),
        replace(MOVED, kind=EventKind.ALIAS_DELETED, revision=4, at=later, version=None),
        Event(EventKind.SERVER_ADDED, NOON, "ada", 1, pool="gpu", server="triton:8001"),
        Event(EventKind.VERSION_PLACED, later, "ada", 2, "flights", "gpu", 1, change={"a": [1]}),
    )
    with store.writing() as rows:
        rows.add_pool(GPU)
        e1, e2, e3, e4, e5, e6 = (rows.add_event(draft) for draft in drafts)
    assert [replace(event, id=0) for event in (e1, e2, e3, e4, e5, e6)] == list(drafts)
    newest = (e6, e4, e3, e5, e2, e1)

    def found(
        *, after: int | None = None, limit: int | None = None, **wanted: Any
    ) -> tuple[Event, ...]:
        with store.reading() as rows:
            return rows.events(replace(EventFilter(), **wanted), after=after, limit=limit)

    assert found() == newest
    assert found(limit=2) == newest[:2]
    assert found(after=e3.id, limit=2) == (e5, e2)
    assert found(after=e1.id) == ()
    assert found(model="flights") == (e6, e4, e3, e2, e1)
    assert found(pool="gpu") == (e6, e5)
    assert found(model="flights", alias="champion") == (e4, e2, e1)
    assert found(kinds=(EventKind.ALIAS_DELETED, EventKind.SERVER_ADDED)) == (e4, e5)
    assert found(version=1) == (e6, e3, e1)
    assert found(version=10**30) == ()
    assert found(by="bob") == (e2,)
    assert found(since=later) == (e6, e4, e3)
    assert found(until=NOON) == (e5, e2, e1)
    assert found(model="flights", until=later - timedelta(microseconds=1), limit=1) == (e2,)
    assert found(model="flights", kinds=(EventKind.ALIAS_MOVED,), after=e3.id) == (e2, e1)


def test_models_do_not_mix(store: Store) -> None:
    """Rows of one model are not found under another's name."""
    _fill(store)
    with store.writing() as rows:
        rows.add_model(Model("other", "", 0, NOON))
        rows.put_alias(Alias("flights", "champion", 1, NOON))
        rows.add_event(MOVED)
    with store.reading() as rows:
        assert _versions(rows, "other") == ()
        assert rows.version_by_content("other", "content 1") is None
        assert rows.alias("other", "champion") is None
        assert rows.events(EventFilter(model="other"), after=None, limit=None) == ()


def test_a_failed_transaction_leaves_no_trace(store: Store) -> None:
    """What was written before an exception is gone."""
    _fill(store)

    def fail() -> None:
        with store.writing() as rows:
            rows.add_model(Model("other", "", 0, NOON))
            rows.put_model(replace(FLIGHTS, last_version=7))
            rows.put_alias(Alias("flights", "champion", 1, NOON))
            rows.add_event(MOVED)
            raise KeyError

    with pytest.raises(KeyError):
        fail()
    with store.reading() as rows:
        assert _models(rows) == (FLIGHTS,)
        assert rows.aliases("flights", after=None, limit=None) == ()
        assert rows.events(EventFilter(), after=None, limit=None) == ()


def test_a_reader_sees_one_state(store: Store) -> None:
    """A commit by another does not show within a transaction that has begun to read."""
    with store.reading() as rows:
        assert _models(rows) == ()
        _fill(store)
        assert _versions(rows) == ()


def test_threads_count_without_gap_or_repeat(store: Store) -> None:
    """Eight writers at once get each number once, also while the model is new."""
    given: list[int] = []
    start = Barrier(8)

    def count() -> None:
        start.wait()
        for _ in range(5):
            with store.writing() as rows:
                model, _ = rows.add_model(FLIGHTS)
                rows.put_model(replace(model, last_version=model.last_version + 1))
                given.append(model.last_version + 1)

    threads = [Thread(target=count) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(given) == list(range(1, 41))


def test_a_route_is_kept_replaced_and_taken_away(store: Store) -> None:
    """One for each alias, whole."""
    _fill(store)
    route = Route("flights", "champion", (Share(2, 1000),), Share(1, 5), NOON, "ada", 3)
    with store.writing() as rows:
        assert rows.route("flights", "champion") is None
        rows.put_alias(Alias("flights", "champion", 1, NOON, 1))
        rows.put_route(route)
    with store.writing() as rows:
        assert rows.route("flights", "champion") == route
        rows.put_route(replace(route, canaries=(), revision=4))
    with store.writing() as rows:
        assert rows.route("flights", "champion") == replace(route, canaries=(), revision=4)
        assert rows.route("flights", "next") is None
        rows.delete_route("flights", "champion")
        rows.delete_route("flights", "champion")
    with store.reading() as rows:
        assert rows.route("flights", "champion") is None


def test_what_is_touched_has_a_new_generation(store: Store, heard: Heard) -> None:
    """Counted by transactions, each with another mark; told before the commit and after it."""
    marks = set()
    # A database that was made by migrations has counted those as one.
    with store.reading() as rows:
        before = rows.generation(EVERYTHING).number
    for number in range(1, 4):
        with store.writing() as rows:
            rows.touch("planes", "flights")
            rows.touch("flights")
        with store.reading() as rows:
            found = {scope: rows.generation(scope) for scope in heard.told[-1]}
            assert rows.generation("trains") == UNTOUCHED
        assert list(found) == ["flights", "planes", EVERYTHING]
        assert heard.coming == found
        numbers = [generation.number for generation in found.values()]
        assert numbers == [number, number, before + number]
        marks |= {generation.mark for generation in found.values()}
    assert len(marks) == 9


def test_a_transaction_that_touches_nothing_tells_nobody(store: Store, heard: Heard) -> None:
    """Nor does one that ends with an error: everything is as it was."""
    with store.reading() as rows:
        before = [rows.generation(scope) for scope in ("flights", EVERYTHING)]
    _fill(store)
    with pytest.raises(ZeroDivisionError), store.writing() as rows:
        rows.touch("flights")
        raise ZeroDivisionError
    with store.reading() as rows:
        assert [rows.generation(scope) for scope in ("flights", EVERYTHING)] == before
    assert heard.told == []
