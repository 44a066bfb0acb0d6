"""The rules of routes: between versions alike, compared and set, remembered, guarding versions."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from registry.catalog import Catalog
from registry.conflicts import ApprovalMissing, InUse, RevisionChanged
from registry.domain import ModelRef, Signature, TensorSpec
from registry.errors import InvalidRegistration, UnknownAlias, UnknownVersion
from registry.events import EventKind
from registry.pages import EventFilter
from registry.routes import Route, Share
from registry.routing import Routing
from registry.targets import decode_target, encode_target
from tests.contracts.memory_store import MemoryStore
from tests.registry.conftest import START, Clock

Register = Callable[..., int]
TENTH = Share(2, 1000)


@pytest.fixture
def store() -> MemoryStore:
    return MemoryStore()


@pytest.fixture
def catalog(store: MemoryStore) -> Catalog:
    return Catalog(store, now=Clock())


@pytest.fixture
def routing(store: MemoryStore, catalog: Catalog, signature: Signature) -> Routing:
    """Three versions alike, and one that takes something else; champion is version 1."""
    wide = Signature((TensorSpec("features", "FP32", (-1, 4)),), signature.outputs)
    for number, given in enumerate([signature, signature, signature, wide], start=1):
        told: dict[str, Any] = {"served_name": "flights", "served_version": str(number)}
        catalog.register("flights", signature=given, digest=f"sha256:{number:064x}", **told)
    catalog.set_alias("flights", "champion", 1)
    return Routing(store, now=lambda: START)


def test_a_route_comes_back_with_who_and_when(routing: Routing, catalog: Catalog) -> None:
    """It is in the history with its shares, and one change is one event."""
    route = routing.set_route(
        "flights", "champion", canaries=[TENTH], shadow=Share(3, 10_000), by="ada", why="try it"
    )
    at = catalog.model("flights").changed_at
    assert at is not None
    expected = Route("flights", "champion", (TENTH,), Share(3, 10_000), at, "ada", 7)
    assert route == routing.route("flights", "champion") == expected
    again = routing.set_route("flights", "champion", canaries=[TENTH], shadow=Share(3, 10_000))
    assert again == route
    routing.clear_route("flights", "champion", by="bob")
    routing.clear_route("flights", "champion", by="bob")
    assert routing.route("flights", "champion") is None
    wanted = EventFilter(model="flights", kinds=(EventKind.ROUTE_SET, EventKind.ROUTE_CLEARED))
    told = [(e.kind, e.by, e.why, e.alias, e.change) for e in catalog.events(wanted).items]
    change = {
        "canaries": [{"version": 2, "percent": 10.0}],
        "shadow": {"version": 3, "percent": 100.0},
    }
    assert told == [
        (EventKind.ROUTE_CLEARED, "bob", "", "champion", {}),
        (EventKind.ROUTE_SET, "ada", "try it", "champion", change),
    ]


def test_what_a_route_names_stays(routing: Routing, catalog: Catalog) -> None:
    """Neither its versions nor its alias can be deleted until it is another one."""
    routing.set_route("flights", "champion", canaries=[TENTH], shadow=Share(3, 1))
    for number in (2, 3):
        with pytest.raises(InUse, match="in use by route flights@champion"):
            catalog.delete_version("flights", number)
    with pytest.raises(InUse, match="in use by route flights@champion"):
        catalog.delete_alias("flights", "champion")
    routing.set_route("flights", "champion", canaries=[TENTH], shadow=None)
    catalog.delete_version("flights", 3)
    routing.clear_route("flights", "champion")
    catalog.delete_version("flights", 2)
    catalog.delete_alias("flights", "champion")


def test_only_what_callers_cannot_tell_apart_is_weighted(routing: Routing) -> None:
    """Another signature, version or alias is refused, and nothing is kept."""
    with pytest.raises(InvalidRegistration, match="takes or gives something else"):
        routing.set_route("flights", "champion", canaries=[], shadow=Share(4, 1))
    with pytest.raises(UnknownVersion):
        routing.set_route("flights", "champion", canaries=[Share(9, 1)], shadow=None)
    with pytest.raises(UnknownAlias):
        routing.set_route("flights", "next", canaries=[TENTH], shadow=None)
    assert routing.route("flights", "champion") is None


def test_who_was_slower_is_told(routing: Routing) -> None:
    """Compared under the lock: 0 stands for no route."""
    first = routing.set_route("flights", "champion", canaries=[TENTH], shadow=None, if_revision=0)
    with pytest.raises(RevisionChanged, match="the route of flights@champion"):
        routing.set_route("flights", "champion", canaries=[], shadow=TENTH, if_revision=0)
    with pytest.raises(RevisionChanged):
        routing.clear_route("flights", "champion", if_revision=first.revision - 1)
    routing.clear_route("flights", "champion", if_revision=first.revision)


def test_a_canary_of_a_protected_alias_is_approved(routing: Routing, catalog: Catalog) -> None:
    """As if the alias were moved there; a shadow answers nobody and needs no approval."""
    catalog.protect_alias("flights", "champion", protected=True)
    with pytest.raises(ApprovalMissing):
        routing.set_route("flights", "champion", canaries=[TENTH], shadow=None, by="ada")
    routing.set_route("flights", "champion", canaries=[], shadow=TENTH, by="ada")
    catalog.approve("flights", 2, by="bob")
    routing.set_route("flights", "champion", canaries=[TENTH], shadow=None, by="ada")


def test_a_target_has_all_that_decides(routing: Routing, catalog: Catalog) -> None:
    """The alias's version, canaries, shadow; written and read back it is the same."""
    routing.set_route("flights", "champion", canaries=[TENTH], shadow=Share(3, 500))
    target = catalog.target(ModelRef.parse("flights@champion"))
    assert target.stable.version.version == 1
    assert target.shares == (TENTH,)
    assert target.shadow is not None
    assert (target.shadow[0].version.version, target.shadow[1]) == (3, 500)
    assert target.numbers == (1, 2, 3, 4)
    assert decode_target(json.loads(json.dumps(encode_target(target)))) == target
    pinned = catalog.target(ModelRef.parse("flights@2"))
    assert (pinned.stable.version.version, pinned.canaries, pinned.shadow) == (2, (), None)
