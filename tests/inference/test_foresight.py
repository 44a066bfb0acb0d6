"""What is said of a choice is what the choice would be."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inference.breaker import Verdict
from inference.foresight import foreseen
from inference.router import Router, Ticket
from tests.inference.scripted import ScriptedServer
from tests.inference.test_router import LIMITS, MODEL, answer, fail, router, send

SERVERS = [ScriptedServer(name) for name in "abc"]


@given(
    st.integers(0, 2**16),
    st.lists(
        st.tuples(st.integers(0, 2), st.sampled_from(["fail", "answer", "send"])), max_size=12
    ),
)
def test_a_forecast_takes_no_place_and_comes_true(seed: int, acts: list[tuple[int, str]]) -> None:
    """Whatever happened before; asked twice it says the same, then the choice does."""
    subject = Router(3, LIMITS, random=lambda: 0.5)
    chance = random.Random(seed)
    for server, act in acts:
        others = tuple(index for index in range(3) if index != server)
        choice = subject.choose(chance.random(), MODEL, others)
        if not isinstance(choice, Ticket) or act == "send":
            continue
        subject.done(choice, Verdict.FAILURE if act == "fail" else Verdict.SUCCESS, 1.0)
    places = [route.outstanding for route in subject.routes]
    told = foreseen(subject, SERVERS, MODEL, 2.0)
    assert foreseen(subject, SERVERS, MODEL, 2.0) == told
    assert [route.outstanding for route in subject.routes] == places
    choice = subject.choose(2.0, MODEL)
    chosen = SERVERS[choice.server].url if isinstance(choice, Ticket) else None
    assert told.server == chosen


def test_each_server_that_is_out_has_a_reason() -> None:
    """A breaker, a missing model, a drain, a probe without an answer, enough to do."""
    subject = router(3)
    answer(subject, 0, took_s=0.1, now=0.0)
    fail(subject, 1, 0.2)
    subject.mark(2, MODEL, 0.2, ready=False)
    told = foreseen(subject, SERVERS, MODEL, 0.2)
    assert told.server == "a"
    assert told.why == "it is the only one that may be asked"
    assert [each.out for each in told.servers] == [
        "",
        "its breaker is open for 4.5 s more",
        "it does not have the model ready",
    ]
    subject.routes[0].leaving = True
    told = foreseen(subject, SERVERS, MODEL, 0.2)
    assert (told.server, told.servers[0].out) == (None, "it is draining")
    assert told.why == "no server of the pool may be asked"


@pytest.mark.parametrize("leaving", [True, False])
def test_a_server_that_leaves_gets_nothing(leaving: bool) -> None:
    """Others get all; once it stays again it gets its share."""
    subject = router(2)
    subject.routes[0].leaving = leaving
    got = {send(subject, 0.0).server for _ in range(4)}
    assert got == ({1} if leaving else {0, 1})
