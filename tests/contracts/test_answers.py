"""Check what is promised of the answers that repeated creates get: in SQL and in memory."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from threading import Event

import pytest

from registry.answers import Claim, Earlier, KeptAnswer
from registry.port import Store
from registry.settings import RegistrySettings
from registry.store import open_store
from tests.contracts.memory_store import MemoryStore
from tests.contracts.test_store import FLIGHTS

NOON = datetime(2026, 5, 3, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)
CLAIM = Claim("ada POST /v1/models", "k", "f" * 64, "one", NOON, NOON - HOUR, NOON + HOUR)
AGAIN = replace(CLAIM, token="two")
ANSWER = KeptAnswer(201, {"location": "/v1/models/flights"}, b'{"name":"flights"}\xff')
RUNNING = Earlier("f" * 64, NOON + HOUR, None)
ANSWERED = Earlier("f" * 64, NOON + HOUR, ANSWER)


@pytest.fixture(params=["memory", "sqlite", "postgres"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Store]:
    if request.param == "memory":
        yield MemoryStore()
        return
    url = f"sqlite:///{tmp_path}/registry.db"
    if request.param == "postgres":
        url = request.getfixturevalue("postgres_url")
    found = open_store(RegistrySettings(database_url=url))
    yield found
    found.close()


def _claim(store: Store, claim: Claim) -> Earlier | None:
    with store.writing() as rows:
        return rows.claim_key(claim)


def _create(store: Store, claim: Claim = CLAIM) -> Earlier | None:
    """Add flights with its answer, unless an earlier try has the key."""
    with store.writing() as rows:
        earlier = rows.claim_key(claim)
        if earlier is None:
            rows.add_model(FLIGHTS)
            rows.keep_answer(claim, ANSWER)
        return earlier


def test_a_repetition_gets_the_answer(store: Store) -> None:
    """The first try takes the key, the second learns what is known of the first."""
    other = replace(AGAIN, fingerprint="e" * 64)
    assert _claim(store, CLAIM) is None
    assert _claim(store, other) == RUNNING
    assert _create(store) is None
    assert [_claim(store, other), _create(store, other), _create(store)] == [ANSWERED] * 3


def test_scopes_and_keys_do_not_meet(store: Store) -> None:
    """Another caller, path or key is another request."""
    assert _claim(store, CLAIM) is None
    assert _claim(store, replace(AGAIN, scope="bob POST /v1/models")) is None
    assert _claim(store, replace(AGAIN, key="l")) is None
    assert _claim(store, replace(AGAIN, scope="x" * 5000, key="y" * 5000)) is None


def test_an_answer_is_committed_with_what_it_tells_of(store: Store) -> None:
    """Of a transaction that fails after both were written there is neither, and the key is free."""
    with pytest.raises(ZeroDivisionError), store.writing() as rows:
        assert rows.claim_key(CLAIM) is None
        rows.add_model(FLIGHTS)
        rows.keep_answer(CLAIM, ANSWER)
        raise ZeroDivisionError
    with store.reading() as rows:
        assert rows.model("flights") is None
    assert _create(store, AGAIN) is None
    with store.reading() as rows:
        assert rows.model("flights") == FLIGHTS


def test_a_repetition_waits_for_the_transaction_that_has_the_key(store: Store) -> None:
    """It gets the answer that was not there yet when it asked."""
    asks = Event()

    def ask() -> Earlier | None:
        asks.set()
        return _create(store, AGAIN)

    with ThreadPoolExecutor(1) as pool:
        with store.writing() as rows:
            assert rows.claim_key(CLAIM) is None
            asked = pool.submit(ask)
            assert asks.wait(30)
            rows.keep_answer(CLAIM, ANSWER)
        assert asked.result(30) == ANSWERED


def test_a_released_key_is_free(store: Store) -> None:
    """A try that changed nothing leaves no trace; who does not hold the key cannot free it."""
    assert _claim(store, CLAIM) is None
    with store.writing() as rows:
        rows.free_key(AGAIN)
    assert _claim(store, AGAIN) == RUNNING
    with store.writing() as rows:
        rows.free_key(CLAIM)
    assert _claim(store, AGAIN) is None


def test_an_answered_key_is_not_released(store: Store) -> None:
    """Whoever was not told that the answer was kept may try to free its key."""
    assert _create(store) is None
    with store.writing() as rows:
        rows.free_key(CLAIM)
    assert _claim(store, AGAIN) == ANSWERED


def test_a_dead_try_is_taken_over(store: Store) -> None:
    """When it was only slow it learns that another has the key, and makes nothing."""
    assert _claim(store, CLAIM) is None
    later = replace(AGAIN, now=NOON + HOUR / 2, abandoned_before=NOON + HOUR / 4)
    assert _claim(store, later) is None
    assert _create(store, CLAIM) == RUNNING
    assert _create(store, later) is None
    assert _create(store, CLAIM) == ANSWERED


def test_a_sign_of_life_keeps_the_key(store: Store) -> None:
    """A try that claims again has died as long after that as after the first time."""
    assert _claim(store, CLAIM) is None
    assert _claim(store, replace(CLAIM, now=NOON + HOUR / 3)) is None
    later = replace(AGAIN, now=NOON + HOUR / 2, abandoned_before=NOON + HOUR / 4)
    assert _claim(store, later) == RUNNING
    assert _create(store, CLAIM) is None


def test_a_finished_try_does_not_die(store: Store) -> None:
    """It is remembered until it expires, then forgotten."""
    assert _create(store) is None
    later = replace(AGAIN, now=NOON + HOUR / 2, abandoned_before=NOON + HOUR / 4)
    assert _claim(store, later) == ANSWERED
    expired = replace(later, now=NOON + HOUR, expires_at=NOON + 2 * HOUR)
    assert _claim(store, expired) is None
    found = _claim(store, replace(expired, token="x"))
    assert found == Earlier("f" * 64, NOON + 2 * HOUR, None)


def test_one_of_many_creates(store: Store) -> None:
    """Of tries at the same moment, all but one get its answer."""
    tries = [replace(CLAIM, token=str(number)) for number in range(8)]
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda claim: _create(store, claim), tries))
    assert found.count(None) == 1
    assert [each for each in found if each] == [ANSWERED] * 7
