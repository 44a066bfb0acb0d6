"""The gate before a protected alias, and the route that an alias carries with it."""

from dataclasses import replace
from typing import Any

import pytest

from registry.catalog import Catalog
from registry.conflicts import (
    ApprovalMissing,
    ApproverNeeded,
    RevisionChanged,
    RouteInTheWay,
)
from registry.domain import Signature, TensorSpec
from registry.errors import InvalidRegistration
from registry.routes import Share
from registry.routing import Routing
from tests.contracts.memory_store import MemoryStore
from tests.registry.conftest import START, Clock

HALF = Share(2, 5000)
WRITER: dict[str, Any] = {"by": "ada", "approver": False}


@pytest.fixture
def store() -> MemoryStore:
    return MemoryStore()


@pytest.fixture
def routing(store: MemoryStore) -> Routing:
    return Routing(store, now=lambda: START)


@pytest.fixture
def catalog(store: MemoryStore, signature: Signature) -> Catalog:
    """Three versions alike, a fourth that takes other rows, one for 8 and one for 4 at a time."""
    catalog = Catalog(store, now=Clock())
    wide = replace(signature, inputs=(TensorSpec("features", "FP32", (-1, 4)),))
    eight, four = (replace(signature, max_batch_size=most) for most in (8, 4))
    for number, given in enumerate([signature] * 3 + [wide, eight, four], start=1):
        catalog.register(
            "flights",
            signature=given,
            digest=f"sha256:{number:064x}",
            served_name="flights",
            served_version=str(number),
            by="eve",
        )
    catalog.set_alias("flights", "champion", 1)
    return catalog


def test_a_name_that_is_used_again_keeps_its_gate(catalog: Catalog, signature: Signature) -> None:
    """Deleting a model and registering it anew is no way past the approval."""
    catalog.delete_alias("flights", "champion")
    catalog.protect_alias("flights", "champion", protected=True)
    catalog.delete_model("flights", by="mallory")
    given: dict[str, Any] = {
        "digest": f"sha256:{9:064x}",
        "served_name": "flights",
        "served_version": "1",
    }
    made = catalog.register("flights", signature=signature, by="mallory", **given)
    assert catalog.model("flights").protected == ("champion",)
    with pytest.raises(ApprovalMissing):
        catalog.set_alias("flights", "champion", made.version, by="mallory")


def test_only_an_approver_moves_what_is_protected(catalog: Catalog) -> None:
    """Whether it is protected is looked at under the lock, like everything else of the move."""
    catalog.approve("flights", 2, by="bob")
    catalog.protect_alias("flights", "champion", protected=True)
    with pytest.raises(ApproverNeeded, match="somebody move it who may approve versions"):
        catalog.set_alias("flights", "champion", 2, by="ada", approver=False)
    assert catalog.set_alias("flights", "other", 2, by="ada", approver=False).version == 2
    assert catalog.set_alias("flights", "champion", 2, by="ada").version == 2


def test_only_an_approver_changes_who_answers_for_it(catalog: Catalog, routing: Routing) -> None:
    """A canary of all requests is a move by another name, and so is its end; a shadow is none."""
    catalog.approve("flights", 2, by="bob")
    catalog.protect_alias("flights", "champion", protected=True)
    with pytest.raises(ApproverNeeded):
        routing.set_route("flights", "champion", canaries=[HALF], shadow=None, **WRITER)
    routing.set_route("flights", "champion", canaries=[], shadow=HALF, **WRITER)
    routing.clear_route("flights", "champion", **WRITER)
    routing.set_route("flights", "champion", canaries=[HALF], shadow=None, by="ada")
    with pytest.raises(ApproverNeeded):
        routing.set_route("flights", "champion", canaries=[], shadow=HALF, **WRITER)
    with pytest.raises(ApproverNeeded):
        routing.clear_route("flights", "champion", **WRITER)
    routing.clear_route("flights", "champion", by="ada")


def test_an_alias_does_not_leave_its_route_behind(catalog: Catalog, routing: Routing) -> None:
    """Its new version is like those of the route, or the route goes first."""
    routing.set_route("flights", "champion", canaries=[HALF], shadow=Share(3, 1), by="ada")
    with pytest.raises(RouteInTheWay, match="flights@2 takes or gives something else than flights"):
        catalog.set_alias("flights", "champion", 4, by="ada")
    assert catalog.alias("flights", "champion").version == 1
    assert catalog.set_alias("flights", "champion", 2, by="ada").version == 2
    routing.clear_route("flights", "champion")
    assert catalog.set_alias("flights", "champion", 4, by="ada").version == 4


def test_a_version_for_fewer_rows_is_no_canary(catalog: Catalog, routing: Routing) -> None:
    """Callers send as many rows as the alias's version takes, whoever answers; more is no harm."""
    catalog.set_alias("flights", "small", 6)
    routing.set_route("flights", "small", canaries=[Share(5, 1)], shadow=Share(1, 1))
    catalog.set_alias("flights", "large", 5)
    with pytest.raises(InvalidRegistration, match="6 takes at most 4 rows at a time, flights@5 8:"):
        routing.set_route("flights", "large", canaries=[Share(6, 1)], shadow=None)
    with pytest.raises(InvalidRegistration, match="flights@1 any number of them: a route is"):
        routing.set_route("flights", "champion", canaries=[], shadow=Share(5, 1))
    routing.set_route("flights", "large", canaries=[Share(1, 1)], shadow=None)
    routing.set_route("flights", "small", canaries=[Share(5, 1)], shadow=None)
    with pytest.raises(RouteInTheWay, match="flights@5 takes at most 8 rows at a time"):
        catalog.set_alias("flights", "small", 1)


def test_what_nobody_approved_answers_for_no_protected_alias(
    catalog: Catalog, routing: Routing
) -> None:
    """A canary from before is approved by a third person, or ended; a shadow answers nobody."""
    routing.set_route("flights", "champion", canaries=[HALF], shadow=Share(3, 1), by="ada")
    catalog.approve("flights", 2, by="ada")
    with pytest.raises(RouteInTheWay, match="flights@2 lacks the approval of somebody other than"):
        catalog.protect_alias("flights", "champion", protected=True)
    assert catalog.model("flights").protected == ()
    catalog.approve("flights", 2, by="bob")
    told = catalog.protect_alias("flights", "champion", protected=True)
    assert told.protected == ("champion",)


def test_a_canary_is_promoted_behind_the_gate(catalog: Catalog, routing: Routing) -> None:
    """By the approvals that it has; the others stay beside it."""
    for number in (2, 3):
        catalog.approve("flights", number, by="bob")
    catalog.protect_alias("flights", "champion", protected=True)
    both = [HALF, Share(3, 100)]
    routing.set_route("flights", "champion", canaries=both, shadow=None, by="ada")
    assert catalog.set_alias("flights", "champion", 2, by="carol").version == 2


def test_who_protects_says_what_they_have_seen(catalog: Catalog) -> None:
    """Compared under the lock, both ways."""
    seen = catalog.model("flights").revision
    told = catalog.protect_alias("flights", "champion", protected=True, if_revision=seen)
    with pytest.raises(RevisionChanged):
        catalog.protect_alias("flights", "champion", protected=False, if_revision=seen)
    catalog.protect_alias("flights", "champion", protected=False, if_revision=told.revision)
