"""Waits that are foreseen."""

import pytest

from inference.queueing import meet, wait_s
from inference.router import Router
from tests.inference.test_router import LIMITS, answer, send

MODEL, OTHER = ("m", "1"), ("other", "1")


def busy() -> Router:
    """Return two servers, whose answers take 0.1 s and 0.4 s, with two requests in flight each."""
    router = Router(2, LIMITS, random=lambda: 0.5)
    answer(router, 0, took_s=0.1, now=0.0)
    answer(router, 1, took_s=0.4, now=0.0)
    for server in (0, 0, 1, 1):
        send(router, 1.0, (1 - server,))
    return router


def test_the_wait_follows_from_the_places_that_become_free() -> None:
    """Twenty a second at the one, five at the other."""
    assert wait_s(busy().routes, MODEL, 10, 1.0) == pytest.approx(10 / 25)


def test_servers_that_do_not_work_free_nothing() -> None:
    """One that lacks the model, one that answers no probe; where nothing works nothing is known."""
    router = busy()
    router.mark(1, MODEL, 1.0, ready=False)
    assert wait_s(router.routes, MODEL, 10, 1.0) == pytest.approx(10 / 20)
    router.routes[0].silent = True
    assert wait_s(router.routes, MODEL, 10, 1.0) == 0.0


def test_models_meet_where_a_server_has_both() -> None:
    """Else nobody who wants the one waits for who wants the other."""
    router = busy()
    assert meet(router.routes, MODEL, OTHER, 1.0)
    router.mark(0, MODEL, 1.0, ready=False)
    router.mark(1, OTHER, 1.0, ready=False)
    assert not meet(router.routes, MODEL, OTHER, 1.0)
    assert meet(router.routes, MODEL, MODEL, 1.0)
