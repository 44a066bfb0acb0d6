"""Check what is promised of the answers that repeated creates get: in SQL and in memory."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from registry.answers import Answers, Claim, Earlier, KeptAnswer
from registry.settings import RegistrySettings
from registry.store import open_store
from tests.contracts.memory_answers import MemoryAnswers

NOON = datetime(2026, 5, 3, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)
CLAIM = Claim("ada POST /v1/models", "k", "f" * 64, "one", NOON, NOON - HOUR, NOON + HOUR)
ANSWER = KeptAnswer(201, {"location": "/v1/models/flights"}, b'{"name":"flights"}\xff')


@pytest.fixture(params=["memory", "sqlite", "postgres"])
def answers(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Answers]:
    if request.param == "memory":
        yield MemoryAnswers()
        return
    url = f"sqlite:///{tmp_path}/registry.db"
    if request.param == "postgres":
        url = request.getfixturevalue("postgres_url")
    store = open_store(RegistrySettings(database_url=url))
    yield store.answers()
    store.close()


def test_a_repetition_gets_the_answer(answers: Answers) -> None:
    """The first try takes the key, the second learns what is known of the first."""
    again = replace(CLAIM, token="two", fingerprint="e" * 64)
    assert answers.claim(CLAIM) is None
    assert answers.claim(again) == Earlier("f" * 64, NOON + HOUR, None)
    answers.finish(CLAIM, ANSWER)
    assert answers.claim(again) == Earlier("f" * 64, NOON + HOUR, ANSWER)


def test_scopes_and_keys_do_not_meet(answers: Answers) -> None:
    """Another caller, path or key is another request."""
    assert answers.claim(CLAIM) is None
    assert answers.claim(replace(CLAIM, scope="bob POST /v1/models")) is None
    assert answers.claim(replace(CLAIM, key="l")) is None
    assert answers.claim(replace(CLAIM, scope="x" * 5000, key="y" * 5000)) is None


def test_a_released_key_is_free(answers: Answers) -> None:
    """A try that changed nothing leaves no trace; who does not hold the key cannot free it."""
    assert answers.claim(CLAIM) is None
    answers.release(replace(CLAIM, token="two"))
    assert answers.claim(CLAIM) is not None
    answers.release(CLAIM)
    assert answers.claim(replace(CLAIM, token="two")) is None


def test_a_dead_try_is_taken_over(answers: Answers) -> None:
    """Its own late answer changes nothing any more."""
    assert answers.claim(CLAIM) is None
    later = replace(CLAIM, token="two", now=NOON + HOUR / 2, abandoned_before=NOON + HOUR / 4)
    assert answers.claim(later) is None
    answers.finish(CLAIM, ANSWER)
    assert answers.claim(replace(later, token="three")) == Earlier("f" * 64, NOON + HOUR, None)
    answers.finish(later, ANSWER)
    assert answers.claim(replace(later, token="three")) == Earlier("f" * 64, NOON + HOUR, ANSWER)


def test_a_finished_try_does_not_die(answers: Answers) -> None:
    """It is remembered until it expires, then forgotten."""
    assert answers.claim(CLAIM) is None
    answers.finish(CLAIM, ANSWER)
    later = replace(CLAIM, token="two", now=NOON + HOUR / 2, abandoned_before=NOON + HOUR / 4)
    assert answers.claim(later) == Earlier("f" * 64, NOON + HOUR, ANSWER)
    expired = replace(later, now=NOON + HOUR, expires_at=NOON + 2 * HOUR)
    assert answers.claim(expired) is None
    assert answers.claim(replace(expired, token="x")) == Earlier("f" * 64, NOON + 2 * HOUR, None)


def test_one_of_many_takes_the_key(answers: Answers) -> None:
    """Of tries at the same moment, all but one learn of another."""
    tries = [replace(CLAIM, token=str(number)) for number in range(8)]
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(answers.claim, tries))
    assert found.count(None) == 1
    assert {each for each in found if each} == {Earlier("f" * 64, NOON + HOUR, None)}
