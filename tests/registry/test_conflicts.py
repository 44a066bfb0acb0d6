"""Check what conflicts tell the reader."""

import pickle
from datetime import UTC, datetime

import pytest

from registry.conflicts import (
    AliasMoved,
    AliasProtected,
    AlreadyExists,
    ApprovalMissing,
    ApprovalRefused,
    ApproverNeeded,
    InUse,
    RevisionChanged,
    RouteInTheWay,
    ServerTaken,
)
from registry.domain import Alias
from registry.errors import RegistryError, UnknownPool, UnknownServer
from registry.uses import Referent

REFERENTS = [Referent("alias", f"a{number}") for number in range(7)]
NOON = datetime(2026, 5, 3, 12, tzinfo=UTC)

TOLD = [
    (
        AlreadyExists("pool gpu"),
        "pool gpu is registered already: change it, or choose another name",
    ),
    (
        AliasMoved("flights", "champion", Alias("flights", "champion", 3, NOON, 9)),
        "flights@champion points to version 3 now: look at its history with "
        "`nightshift models events flights`, then move it from there",
    ),
    (
        RevisionChanged("model flights", 3, 5),
        "model flights is at revision 5, not 3 any more: read it again, then repeat the change",
    ),
    (
        InUse("flights@3", REFERENTS[:2]),
        "flights@3 is in use by alias a0, alias a1: end or move those first",
    ),
    (
        InUse("flights@3", REFERENTS),
        "flights@3 is in use by alias a0, alias a1, alias a2, alias a3, alias a4 and 2 more: end "
        "or move those first",
    ),
    (
        ApprovalMissing("flights", "champion", 3, "ada"),
        "flights@champion is protected and version 3 lacks the approval of somebody other than "
        "who registered it and ada: ask a third person for `nightshift models approve "
        "flights@3`",
    ),
    (
        ApprovalRefused("flights", 3, "ada"),
        "flights@3 was registered by ada: have somebody else approve it",
    ),
    (
        ApprovalRefused("flights", 3, ""),
        "flights@3 cannot be approved by nobody: say who approves it",
    ),
    (
        AliasProtected("flights", "champion"),
        "flights@champion is protected: take its protection off first with `nightshift models "
        "unprotect flights champion`",
    ),
    (
        ApproverNeeded("flights", "champion"),
        "flights@champion is protected: have somebody move it who may approve versions",
    ),
    (
        RouteInTheWay("flights", "champion", "flights@2 was not approved"),
        "the route of flights@champion is in the way, flights@2 was not approved: change it, or "
        "end it with `nightshift models route flights@champion --clear`",
    ),
    (
        ServerTaken("triton:8001", "gpu"),
        "server triton:8001 belongs to pool 'gpu': remove it there first",
    ),
    (
        UnknownPool("gqu", ["cpu", "gpu"]),
        "unknown pool 'gqu'; known: gpu, cpu; register it with `nightshift pools create gqu`",
    ),
    (
        UnknownServer("gpu", "triton:1", []),
        "pool 'gpu' has no server 'triton:1'; there is none yet; see them with "
        "`nightshift pools show gpu`",
    ),
]


@pytest.mark.parametrize(("error", "text"), TOLD)
def test_a_conflict_is_one_line_with_its_remedy(error: RegistryError, text: str) -> None:
    """What is so now, and what to do."""
    assert str(error) == text


@pytest.mark.parametrize("error", [error for error, _ in TOLD])
def test_a_conflict_survives_a_process_boundary(error: RegistryError) -> None:
    """An error raised in a worker arrives with its fields."""
    copy = pickle.loads(pickle.dumps(error))
    assert (str(copy), vars(copy)) == (str(error), vars(error))


def test_a_list_that_was_cut_does_not_say_by_how_much() -> None:
    """Of a thousand names nobody knows how many there are."""
    error = UnknownPool("z", [f"p{number}" for number in range(1000)])
    assert str(error).endswith(
        "p0, p1, p2, p3, p4, p5, p6, p7, p8, p9 … and more; register it with "
        "`nightshift pools create z`"
    )
