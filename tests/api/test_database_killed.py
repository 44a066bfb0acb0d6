"""The database dies under the running API: callers are told to come back, and lose nothing."""

import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any

import httpx
import pytest

from api.models.examples import DRAFT
from cli.stack.postgres import LocalPostgres
from registry.schema import upgrade
from registry.settings import RegistrySettings
from tests.api import tokens
from tests.api.gateway.probe import probe
from tests.chaos.seeds import Chaos
from tests.cli.stack.processes import eventually

CALLERS = 6
SHARED = "/v1/models/shared"
RECOVERY_S = 10.0


@dataclass(frozen=True, slots=True, eq=False)
class Write:
    """A create, which has the same key however often it is sent."""

    path: str
    body: dict[str, Any]
    key: str


@dataclass(frozen=True, slots=True)
class Answer:
    """What a create was answered, apart from when it was asked."""

    body: bytes
    location: str
    etag: str


class Callers:
    """Register models and versions and list them, one after another, until they are told to end.

    Each create is sent with its key until it is acknowledged, and then once more.
    """

    def __init__(self, url: str) -> None:
        self._url = url
        self._ends = threading.Event()
        self.acknowledged: dict[Write, Answer] = {}
        self.differed: list[Write] = []
        """Creates whose repetition was answered otherwise."""
        self.done_unseen = 0
        """Creates that were there although the first try was refused."""
        self.seen: Counter[tuple[int, bool]] = Counter()
        """Statuses, each with whether `Retry-After` came with it."""

    def call(self, caller: int) -> None:
        """Be one caller."""
        number = 0
        with httpx.Client(base_url=self._url, headers=tokens.bearer(), timeout=60) as client:
            while not self._ends.is_set():
                number += 1
                for write in _writes(caller, number):
                    self._write(client, write)
                self._count(client.get("/v1/models"))

    def repeat(self, client: httpx.Client) -> None:
        """Send every create again; each must be answered as it was."""
        for write, answer in self.acknowledged.items():
            if _answer(_sent(client, write)) != answer:
                self.differed.append(write)

    def end(self) -> None:
        """Have everyone end."""
        self._ends.set()

    def _write(self, client: httpx.Client, write: Write) -> None:
        tries, sent = 1, self._count(_sent(client, write))
        while sent.status_code == 503:
            time.sleep(0.05)
            tries, sent = tries + 1, self._count(_sent(client, write))
        if sent.status_code == 201:
            self.done_unseen += tries > 1 and "idempotency-replayed" in sent.headers
            self.acknowledged[write] = _answer(sent)
        again = self._count(_sent(client, write))
        if again.status_code != 503 and _answer(again) != _answer(sent):
            self.differed.append(write)

    def _count(self, answer: httpx.Response) -> httpx.Response:
        self.seen[answer.status_code, "retry-after" in answer.headers] += 1
        return answer


@pytest.mark.chaos
def test_no_write_is_lost_or_done_twice(
    postgres_factory: Callable[[], LocalPostgres], tmp_path: Path, chaos: Chaos
) -> None:
    """Killed under load again and again: 503 with Retry-After meanwhile, right again after.

    Every write, acknowledged or not, is sent again under its key: it is there exactly once, and
    each of its answers is the same.
    """
    kills = chaos.count(20, sample=1)
    database = postgres_factory()
    upgrade(RegistrySettings(database_url=database.url()))
    with (
        probe(tmp_path, DATABASE_URL=database.url()) as running,
        ThreadPoolExecutor(CALLERS) as threads,
        httpx.Client(base_url=running.url, headers=tokens.bearer(), timeout=60) as client,
    ):
        callers = Callers(running.url)
        calling = [threads.submit(callers.call, number) for number in range(CALLERS)]
        try:
            random = chaos.random()
            longest_s = max(_outage(database, callers, client, random) for _ in range(kills))
        finally:
            callers.end()
        for each in calling:
            each.result(timeout=100)
        callers.repeat(client)
        models, versions = _items(client, "/v1/models"), _items(client, f"{SHARED}/versions")
        events = _items(client, f"{SHARED}/events")
    refused = callers.seen[503, True]
    chaos.tell(
        f"{kills} kills: {len(callers.acknowledged)} creates, each there once, "
        f"{callers.done_unseen} of them by a try that was not acknowledged; "
        f"{len(callers.differed)} answered otherwise when repeated; {refused} answers of 503; "
        f"right again at most {longest_s:.1f} s after the database"
    )
    assert set(callers.seen) == {(200, False), (201, False), (503, True)}
    assert callers.differed == []
    digests = [write.body["digest"] for write in callers.acknowledged if "digest" in write.body]
    assert sorted(version["digest"] for version in versions) == sorted(digests)
    assert [version["version"] for version in versions] == list(range(len(digests), 0, -1))
    told = Counter(event["kind"] for event in events)
    assert told == {"model.created": 1, "version.registered": len(digests)}
    names = [write.body["name"] for write in callers.acknowledged if "name" in write.body]
    assert [model["name"] for model in models] == sorted([*names, "shared"])
    assert {model["revision"] for model in models if model["name"] != "shared"} == {1}
    # A sample shares its machine with other tests.
    assert chaos.scale is None or longest_s < RECOVERY_S


def _outage(
    database: LocalPostgres, callers: Callers, client: httpx.Client, random: Random
) -> float:
    """Kill the database under load; return how long after its start a write was answered."""
    before = len(callers.acknowledged)
    assert eventually(lambda: len(callers.acknowledged) > before + CALLERS, within_s=60)
    time.sleep(random.uniform(0, 0.3))
    refused = callers.seen[503, True]
    database.kill()
    assert eventually(lambda: callers.seen[503, True] > refused, within_s=60)
    assert client.get("/health/ready").status_code == 503
    database.start()
    started = time.monotonic()
    before = len(callers.acknowledged)
    assert eventually(lambda: len(callers.acknowledged) > before, within_s=100)
    return time.monotonic() - started


def _writes(caller: int, number: int) -> Iterator[Write]:
    name, content = f"m-{caller}-{number}", caller * 100_000 + number
    yield Write("/v1/models", {"name": name}, name)
    yield Write(f"{SHARED}/versions", DRAFT | {"digest": f"sha256:{content:064x}"}, name)


def _sent(client: httpx.Client, write: Write) -> httpx.Response:
    return client.post(write.path, json=write.body, headers={"Idempotency-Key": write.key})


def _answer(sent: httpx.Response) -> Answer:
    return Answer(sent.content, sent.headers.get("location", ""), sent.headers.get("etag", ""))


def _items(client: httpx.Client, path: str) -> list[dict[str, Any]]:
    """Go through all pages."""
    items: list[dict[str, Any]] = []
    query: dict[str, str | int] | None = {"page_size": 200}
    while query is not None:
        page = client.get(path, params=query).json()
        items += page["items"]
        cursor = page["next_cursor"]
        query = {"page_size": 200, "cursor": cursor} if cursor else None
    return items
