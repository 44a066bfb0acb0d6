"""The database dies under the running API: callers are told to come back, and lose nothing."""

import threading
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from random import Random

import httpx
import pytest

from cli.stack.postgres import LocalPostgres
from registry.schema import upgrade
from registry.settings import RegistrySettings
from tests.api import tokens
from tests.api.gateway.probe import probe
from tests.chaos.seeds import Chaos
from tests.cli.stack.processes import eventually

CALLERS = 6
RECOVERY_S = 10.0


class Callers:
    """Register models and list them, one after another, until they are told to end."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._ends = threading.Event()
        self.acknowledged: set[str] = set()
        self.seen: Counter[tuple[int, bool]] = Counter()
        """Statuses, each with whether `Retry-After` came with it."""

    def call(self, caller: int) -> None:
        """Be one caller."""
        number = 0
        with httpx.Client(base_url=self._url, headers=tokens.bearer(), timeout=20) as client:
            while not self._ends.is_set():
                number += 1
                name = f"m-{caller}-{number}"
                key = {"Idempotency-Key": name}
                created = client.post("/v1/models", json={"name": name}, headers=key)
                if created.status_code == 201:
                    self.acknowledged.add(name)
                listed = client.get("/v1/models")
                for answer in (created, listed):
                    self.seen[answer.status_code, "retry-after" in answer.headers] += 1

    def end(self) -> None:
        """Have everyone end."""
        self._ends.set()


@pytest.mark.chaos
def test_no_acknowledged_write_is_lost(
    postgres_factory: Callable[[], LocalPostgres], tmp_path: Path, chaos: Chaos
) -> None:
    """Killed under load again and again: 503 with Retry-After meanwhile, right again after."""
    kills = chaos.count(20, sample=1)
    database = postgres_factory()
    upgrade(RegistrySettings(database_url=database.url()))
    with (
        probe(tmp_path, DATABASE_URL=database.url()) as running,
        ThreadPoolExecutor(CALLERS) as threads,
        httpx.Client(base_url=running.url, headers=tokens.bearer(), timeout=20) as client,
    ):
        callers = Callers(running.url)
        calling = [threads.submit(callers.call, number) for number in range(CALLERS)]
        try:
            random = chaos.random()
            longest_s = max(_outage(database, callers, client, random) for _ in range(kills))
        finally:
            callers.end()
        for each in calling:
            each.result(timeout=30)
        found = _names(client)
    refused = callers.seen[503, True]
    chaos.tell(
        f"{kills} kills: {len(callers.acknowledged)} acknowledged writes, "
        f"{len(callers.acknowledged - found)} lost; {refused} answers of 503; "
        f"right again at most {longest_s:.1f} s after the database"
    )
    assert set(callers.seen) == {(200, False), (201, False), (503, True)}
    assert callers.acknowledged <= found
    assert longest_s < RECOVERY_S


def _outage(
    database: LocalPostgres, callers: Callers, client: httpx.Client, random: Random
) -> float:
    """Kill the database under load; return how long after its start a write was answered."""
    before = len(callers.acknowledged)
    assert eventually(lambda: len(callers.acknowledged) > before + CALLERS, within_s=30)
    time.sleep(random.uniform(0, 0.3))
    refused = callers.seen[503, True]
    database.kill()
    assert eventually(lambda: callers.seen[503, True] > refused, within_s=20)
    assert client.get("/health/ready").status_code == 503
    database.start()
    started = time.monotonic()
    before = len(callers.acknowledged)
    assert eventually(lambda: len(callers.acknowledged) > before, within_s=2 * RECOVERY_S)
    return time.monotonic() - started


def _names(client: httpx.Client) -> set[str]:
    """Go through all pages."""
    names: set[str] = set()
    page = client.get("/v1/models", params={"page_size": 200}).json()
    names |= {model["name"] for model in page["items"]}
    while page["next_cursor"]:
        query = {"page_size": 200, "cursor": page["next_cursor"]}
        page = client.get("/v1/models", params=query).json()
        names |= {model["name"] for model in page["items"]}
    return names
