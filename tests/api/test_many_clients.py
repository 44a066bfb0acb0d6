"""Many clients in processes of their own change the registry through several API processes."""

import json
import subprocess
import sys
from collections import Counter
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from registry.catalog import Catalog
from registry.events import replay
from registry.fleet import Fleet
from registry.pages import EventFilter
from registry.settings import RegistrySettings
from registry.store import open_store
from tests.api.clients import ALIAS, MODELS, POOL
from tests.api.gateway.probe import probe
from tests.chaos.seeds import Chaos
from tests.conftest import ROOT

APIS = 2
LONG, SAMPLE = (4, 8), (2, 3)
"""Processes, and clients in each of them."""
PATIENT: dict[str, Any] = {
    "API_BODY_PAUSE_S": "60",
    "API_HEAD_TIMEOUT_S": "60",
    "CACHE_ANSWER_TIMEOUT_S": "60",
    "DATABASE_ANSWER_TIMEOUT_S": "60",
    "DATABASE_BUSY_TIMEOUT_S": "300",
}
"""Whoever is slow is waited for: a busy machine looks like one that is away."""
EXPECTED = {
    "POST 201",
    *(f"GET {status}" for status in (200, 404)),
    *(f"PUT {status}" for status in (200, 404, 412)),
    *(f"DELETE {status}" for status in (200, 204, 404, 409)),
}


@pytest.fixture
def store_url(postgres_url: str) -> str:
    """A registry with a pool."""
    store = open_store(RegistrySettings(database_url=postgres_url))
    Fleet(store).create_pool(POOL)
    store.close()
    return postgres_url


@pytest.mark.chaos
def test_thirty_two_clients_lose_nothing(
    store_url: str, redis_url: str, tmp_path: Path, chaos: Chaos
) -> None:
    """No gap in a history, no number twice, no lost move, no old answer, no deadlock."""
    turns = chaos.count(10, sample=1)
    processes, clients = LONG if chaos.scale else SAMPLE
    with ExitStack() as running:
        urls = []
        for number in range(APIS):
            folder = tmp_path / str(number)
            folder.mkdir()
            api = probe(folder, DATABASE_URL=store_url, REDIS_URL=redis_url, **PATIENT)
            urls.append(running.enter_context(api).url)
        work = [f"{clients}", f"{turns}", f"{chaos.seed}", *urls]
        seen = _seen([[f"{number * clients}", *work] for number in range(processes)])
    statuses: Counter[str] = sum((Counter(each["statuses"]) for each in seen), Counter())
    moves = [tuple(move) for each in seen for move in each["moved"]]
    chaos.tell(
        f"{len(seen) * turns} versions, {len(moves)} moves, {statuses['PUT 412']} of "
        f"{statuses.total()} requests lost a compare; none was answered with 500 or above"
    )
    assert [old for each in seen for old in each["stale"]] == []
    assert set(statuses) <= EXPECTED
    registered = [tuple(version) for each in seen for version in each["registered"]]
    store = open_store(RegistrySettings(database_url=store_url))
    catalog = Catalog(store)
    for model in MODELS:
        numbers = sorted(number for name, number in registered if name == model)
        assert numbers == list(range(1, catalog.model(model).last_version + 1))
        _check_history(catalog, model, [(left, to) for name, left, to in moves if name == model])
    pool = catalog.events(EventFilter(pool=POOL)).items[::-1]
    assert [event.revision for event in pool] == list(range(1, len(pool) + 1))
    assert Fleet(store).placements() == ()
    store.close()


def _seen(works: list[list[str]]) -> list[dict[str, Any]]:
    """Have a process of clients for each of the works, all at once; return what each client saw."""
    command = [sys.executable, "-m", "tests.api.clients"]
    pipe = subprocess.PIPE
    running = [
        subprocess.Popen([*command, *work], cwd=ROOT, stdin=pipe, stdout=pipe, stderr=pipe)
        for work in works
    ]
    try:
        for process in running:
            assert process.stdout is not None
            assert process.stdout.readline() == b"ready\n"
        for process in running:
            assert process.stdin is not None
            process.stdin.write(b"go\n")
            process.stdin.flush()
        ended = [process.communicate(timeout=900) for process in running]
    finally:
        for process in running:
            process.kill()
            process.wait()
    assert [errors for _, errors in ended] == [b""] * len(works)
    return [each for output, _ in ended for each in json.loads(output)]


def _check_history(catalog: Catalog, model: str, acknowledged: list[tuple[int, int]]) -> None:
    """Check that the model's history is one chain with every acknowledged move, and the present."""
    events = catalog.events(EventFilter(model=model)).items[::-1]
    own = [event for event in events if event.pool is None]
    assert [event.revision for event in own] == list(range(1, len(own) + 1))
    assert [event.at for event in own] == sorted(event.at for event in own)
    moves = [(event.from_version or 0, event.version) for event in own if event.alias]
    assert [left for left, _ in moves[1:]] == [to for _, to in moves[:-1]]
    assert sorted(acknowledged) == sorted(moves)
    assert replay(own) == {(model, ALIAS): catalog.alias(model, ALIAS).version}
