"""Check the registry's rules for pools, servers and placements."""

from collections.abc import Callable, Iterator
from datetime import timedelta
from functools import partial

import pytest

from registry.catalog import Catalog
from registry.conflicts import AlreadyExists, InUse, RevisionChanged, ServerTaken
from registry.domain import InvalidName
from registry.errors import (
    InvalidRegistration,
    UnknownModel,
    UnknownPool,
    UnknownServer,
    UnknownVersion,
)
from registry.events import EventKind
from registry.fleet import Fleet
from registry.generations import EVERYTHING
from registry.pages import EventFilter
from registry.pools import Placement, Pool, PoolServer, ServerState
from registry.settings import RegistrySettings
from registry.store import SqlStore, open_store
from registry.uses import Referent
from tests.contracts.audience import Heard
from tests.contracts.test_store import FIRST
from tests.registry.conftest import START, Clock

URL = "triton:8001"
DRAINING, REMOVED = ServerState.DRAINING, ServerState.REMOVED


@pytest.fixture
def store(settings: RegistrySettings) -> Iterator[SqlStore]:
    found = open_store(settings)
    yield found
    found.close()


@pytest.fixture
def fleet(store: SqlStore) -> Fleet:
    fleet = Fleet(store, now=Clock())
    fleet.create_pool("gpu", description="big", by="ada")
    return fleet


@pytest.fixture
def catalog(store: SqlStore) -> Catalog:
    catalog = Catalog(store)
    catalog.register(
        "flights",
        signature=FIRST.signature,
        digest=FIRST.digest,
        served_name="flights",
        served_version="1",
    )
    return catalog


def _kinds(store: SqlStore, pool: str = "gpu") -> list[tuple[EventKind, int, str | None]]:
    found = Catalog(store).events(EventFilter(pool=pool)).items
    return [(event.kind, event.revision, event.server) for event in reversed(found)]


def test_a_pool_is_registered_once(fleet: Fleet) -> None:
    """It comes back whole; a second one of its name is a conflict, a bad name is refused."""
    at = START + timedelta(minutes=1)
    assert fleet.pool("gpu") == Pool("gpu", "big", at, "ada", 1, at)
    assert fleet.pools().items == (fleet.pool("gpu"),)
    with pytest.raises(AlreadyExists, match=r"^pool gpu is registered already"):
        fleet.create_pool("gpu")
    with pytest.raises(InvalidName):
        fleet.create_pool("a/b")


def test_pools_are_listed_in_pages(fleet: Fleet) -> None:
    """Each page says where the next begins."""
    for name in ("cpu", "cpu-2", "cpu-3"):
        fleet.create_pool(name)
    page = fleet.pools(prefix="cpu", limit=2)
    assert ([pool.name for pool in page.items], page.next) == (["cpu", "cpu-2"], "cpu-2")
    page = fleet.pools(prefix="cpu", limit=2, after=page.next)
    assert ([pool.name for pool in page.items], page.next) == (["cpu-3"], None)


def test_a_pool_is_changed_by_who_saw_it(store: SqlStore, fleet: Fleet) -> None:
    """A revision that is not the pool's any more changes nothing."""
    changed = fleet.change_pool("gpu", description="bigger", by="bob", if_revision=1)
    assert (changed.description, changed.revision) == ("bigger", 2)
    assert fleet.change_pool("gpu", description="bigger") == changed
    with pytest.raises(RevisionChanged, match="pool gpu is at revision 2, not 1") as lost:
        fleet.change_pool("gpu", description="small", if_revision=1)
    assert (lost.value.expected, lost.value.now) == (1, 2)
    assert fleet.pool("gpu") == changed
    assert _kinds(store)[-1] == (EventKind.POOL_CHANGED, 2, None)


def test_a_server_comes_and_goes(store: SqlStore, fleet: Fleet) -> None:
    """Each step is an event; what is so already is left alone."""
    server = fleet.add_server("gpu", URL, by="ada")
    at = START + timedelta(minutes=2)
    assert server == PoolServer("gpu", URL, ServerState.ACTIVE, at, "ada", 2)
    assert fleet.add_server("gpu", URL, by="bob") == server
    draining = fleet.retire_server("gpu", URL, DRAINING)
    assert (draining.state, draining.revision) == (ServerState.DRAINING, 3)
    assert fleet.retire_server("gpu", URL, DRAINING) == draining
    again = fleet.add_server("gpu", URL, by="bob")
    assert (again.state, again.added_by, again.added_at) == (ServerState.ACTIVE, "ada", at)
    removed = fleet.retire_server("gpu", URL, REMOVED)
    assert fleet.server("gpu", URL) == removed
    assert fleet.retire_server("gpu", URL, REMOVED) == removed
    assert fleet.retire_server("gpu", URL, DRAINING) == removed
    assert fleet.servers("gpu").items == ()
    assert fleet.servers("gpu", removed=True).items == (removed,)
    back = fleet.add_server("gpu", URL, by="eve")
    assert (back.state, back.added_by) == (ServerState.ACTIVE, "eve")
    assert _kinds(store) == [
        (EventKind.POOL_CREATED, 1, None),
        (EventKind.SERVER_ADDED, 2, URL),
        (EventKind.SERVER_DRAINED, 3, URL),
        (EventKind.SERVER_ADDED, 4, URL),
        (EventKind.SERVER_REMOVED, 5, URL),
        (EventKind.SERVER_ADDED, 6, URL),
    ]


def test_a_server_is_changed_by_who_saw_it(store: SqlStore, fleet: Fleet) -> None:
    """Drained, removed or asked again only in the state that the caller has seen."""
    seen = fleet.add_server("gpu", URL).revision
    draining = fleet.retire_server("gpu", URL, DRAINING, if_revision=seen)
    changes: list[Callable[..., PoolServer]] = [fleet.add_server]
    changes += [partial(fleet.retire_server, state=state) for state in (DRAINING, REMOVED)]
    for change in changes:
        with pytest.raises(RevisionChanged, match="server triton:8001 is at revision 3, not 2"):
            change("gpu", URL, if_revision=seen)
    assert fleet.server("gpu", URL) == draining
    again = fleet.add_server("gpu", URL, if_revision=draining.revision)
    removed = fleet.retire_server("gpu", URL, REMOVED, if_revision=again.revision)
    with pytest.raises(RevisionChanged):
        fleet.add_server("gpu", URL, if_revision=again.revision)
    with pytest.raises(UnknownServer):
        fleet.add_server("gpu", "triton:1", if_revision=1)
    assert fleet.server("gpu", URL) == removed


@pytest.mark.parametrize("url", ["", "http://triton:8001", "triton\n:8001", "t" * 513])
def test_what_is_no_address_is_refused(fleet: Fleet, url: str) -> None:
    """A gRPC address has no scheme and no path."""
    with pytest.raises(InvalidRegistration, match="is not an address: write HOST:PORT"):
        fleet.add_server("gpu", url)


def test_a_server_is_in_one_pool(store: SqlStore, fleet: Fleet) -> None:
    """Another pool's server is refused until it was removed there; no event is left."""
    fleet.create_pool("cpu")
    fleet.add_server("gpu", URL)
    with pytest.raises(ServerTaken, match="server triton:8001 belongs to pool 'gpu'"):
        fleet.add_server("cpu", URL)
    assert fleet.pool("cpu").revision == 1
    fleet.retire_server("gpu", URL, REMOVED)
    assert fleet.add_server("cpu", URL).pool == "cpu"
    with pytest.raises(ServerTaken):
        fleet.add_server("gpu", URL)


def test_servers_are_listed_in_pages(fleet: Fleet) -> None:
    """By address."""
    for port in (3, 1, 2):
        fleet.add_server("gpu", f"triton:{port}")
    page = fleet.servers("gpu", limit=2)
    assert ([server.url for server in page.items], page.next) == (
        ["triton:1", "triton:2"],
        "triton:2",
    )
    page = fleet.servers("gpu", limit=2, after=page.next)
    assert ([server.url for server in page.items], page.next) == (["triton:3"], None)


def test_a_placement_keeps_its_version(store: SqlStore, fleet: Fleet, catalog: Catalog) -> None:
    """What a pool shall serve cannot be deleted; both wishes are in both histories."""
    placed = fleet.place("gpu", "flights", 1, by="ada", why="new")
    assert placed == Placement("gpu", "flights", 1, placed.placed_at, "ada")
    assert fleet.place("gpu", "flights", 1, by="bob") == placed
    assert fleet.placements(pool="gpu") == fleet.placements(model="flights") == (placed,)
    with pytest.raises(InUse) as caught:
        catalog.delete_version("flights", 1)
    assert caught.value.referents == (Referent("pool", "gpu"),)
    with pytest.raises(InUse) as caught:
        catalog.delete_model("flights")
    assert caught.value.referents == (Referent("pool", "gpu"),)
    fleet.withdraw("gpu", "flights", 1, by="bob")
    fleet.withdraw("gpu", "flights", 1)
    assert fleet.placements() == ()
    found = catalog.events(EventFilter(model="flights", pool="gpu")).items
    assert [(event.kind, event.version, event.by, event.why) for event in found] == [
        (EventKind.VERSION_WITHDRAWN, 1, "bob", ""),
        (EventKind.VERSION_PLACED, 1, "ada", "new"),
    ]
    catalog.delete_version("flights", 1)


def test_a_pool_in_use_is_not_deleted(store: SqlStore, fleet: Fleet, catalog: Catalog) -> None:
    """All its servers and placements are named; then it goes, and its name counts on."""
    fleet.add_server("gpu", URL)
    fleet.place("gpu", "flights", 1)
    with pytest.raises(InUse, match="pool gpu is in use by server triton:8001, version") as caught:
        fleet.delete_pool("gpu")
    assert caught.value.referents == (Referent("server", URL), Referent("version", "flights@1"))
    fleet.retire_server("gpu", URL, REMOVED)
    fleet.withdraw("gpu", "flights", 1)
    with pytest.raises(RevisionChanged):
        fleet.delete_pool("gpu", if_revision=1)
    fleet.delete_pool("gpu", by="ada")
    with pytest.raises(UnknownPool, match="unknown pool 'gpu'; there is none yet"):
        fleet.pool("gpu")
    assert _kinds(store)[-1] == (EventKind.POOL_DELETED, 6, None)
    assert fleet.create_pool("gpu").revision == 7


def test_what_is_not_there_is_named(fleet: Fleet, catalog: Catalog) -> None:
    """Each error lists what there is instead."""
    fleet.add_server("gpu", URL)
    for ask in (
        lambda: fleet.pool("gqu"),
        lambda: fleet.servers("gqu"),
        lambda: fleet.server("gqu", URL),
        lambda: fleet.add_server("gqu", URL),
        lambda: fleet.delete_pool("gqu"),
        lambda: fleet.placements(pool="gqu"),
        lambda: fleet.place("gqu", "flights", 1),
        lambda: fleet.withdraw("gqu", "flights", 1),
        lambda: catalog.events(EventFilter(pool="gqu")),
    ):
        with pytest.raises(UnknownPool, match="unknown pool 'gqu'; known: gpu; register it with"):
            ask()
    with pytest.raises(UnknownServer, match="no server 'triton:1'; known: triton:8001; see them"):
        fleet.retire_server("gpu", "triton:1", DRAINING)
    with pytest.raises(UnknownVersion):
        fleet.place("gpu", "flights", 2)
    with pytest.raises(UnknownModel):
        fleet.placements(model="planes")


def test_whoever_keeps_copies_hears_of_every_change(
    settings: RegistrySettings, store: SqlStore, catalog: Catalog
) -> None:
    """With the pool, and with the model that is placed; not of what was refused."""
    heard = Heard()
    listened = open_store(settings, heard)
    fleet = Fleet(listened)
    fleet.create_pool("gpu")
    with pytest.raises(AlreadyExists):
        fleet.create_pool("gpu")
    fleet.add_server("gpu", URL)
    fleet.place("gpu", "flights", 1)
    fleet.withdraw("gpu", "flights", 1)
    pool, both = ["pool:gpu", EVERYTHING], ["flights", "pool:gpu", EVERYTHING]
    assert heard.told == [pool, pool, both, both]
    listened.close()


def test_a_version_of_any_size_can_be_withdrawn(fleet: Fleet, catalog: Catalog) -> None:
    """A number that no database holds was never wished for."""
    fleet.withdraw("gpu", "flights", 10**30)
    assert fleet.placements() == ()
