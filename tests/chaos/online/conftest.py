"""Three mortal Tritons, an API before them, and load at a constant rate."""

import asyncio
import os
import signal
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from benchmarks.online.client import Client, Reply, infer_request, scores
from benchmarks.online.load import Sample, Send, open_loop, percentile
from benchmarks.online.site import bearer
from cli.stack.process import free_ports
from cli.stack.triton import LocalTriton, TritonPorts
from registry.catalog import Catalog
from registry.domain import Signature, TensorSpec
from registry.settings import RegistrySettings
from registry.store import open_store
from tests.chaos.seeds import Chaos
from tests.conftest import MODELS

MODEL = "linear"
SLOW = "faulty"
FEATURES = 64
PATH = "/v2/models/flights@champion/infer"
"""A registered name, so that the registry is on the way."""


@dataclass(frozen=True, slots=True)
class Terms:
    """How much is asked, and how soon it is to be answered."""

    rate: float
    """Requests in a second."""
    deadline_s: float
    """How long the API has for each."""
    probe_timeout_s: float
    """How long a server has to say that it is there."""
    notice_s: float
    """How long an API process that is about to end lets balancers see it."""

    @classmethod
    def of(cls, chaos: Chaos) -> "Terms":
        """Return those of the long form, or a sample's, which shares its machine with tests."""
        return cls(10.0, 30.0, 1.0, 5.0) if chaos.scale is None else cls(30.0, 5.0, 0.5, 1.0)

    @property
    def limit_s(self) -> float:
        """How long the client waits: longer than the API may."""
        return self.deadline_s + 3

    @property
    def quick(self) -> dict[str, str]:
        """Probes as for a small pool whose callers wait for seconds."""
        return {
            "NIGHTSHIFT_PROBE_TIMEOUT_S": str(self.probe_timeout_s),
            "NIGHTSHIFT_PROBE_INTERVAL_S": "0.5",
            "NIGHTSHIFT_BREAKER_OPEN_S": "1",
            "NIGHTSHIFT_BREAKER_OPEN_MAX_S": "5",
        }


@dataclass(frozen=True, slots=True)
class Seen:
    """What callers got."""

    samples: list[Sample]

    @property
    def failed(self) -> int:
        """Requests without an answer."""
        return sum(sample.status != 200 for sample in self.samples)

    @property
    def wrong(self) -> int:
        """Answers that are not what the model computes."""
        return sum(not sample.right for sample in self.samples)

    def __str__(self) -> str:
        p99_ms = percentile(self.samples, 0.99) * 1000
        worst_ms = max(sample.latency_s for sample in self.samples) * 1000
        return (
            f"{len(self.samples)} requests, {self.failed} failed, {self.wrong} wrong, "
            f"p99 {p99_ms:.0f} ms, longest {worst_ms:.0f} ms"
        )


@pytest.fixture(scope="module")
def mortals(triton_env: Path, servers_dir: Path) -> Iterator[list[LocalTriton]]:
    """Three servers on ports of their own, so that each comes back where it was."""
    made = []
    try:
        for _ in range(3):
            ports = TritonPorts(*free_ports(3))
            server = LocalTriton(
                MODELS,
                triton_env,
                models=[MODEL, SLOW],
                ports=ports,
                state_dir=servers_dir,
                grace_s=0.5,
            )
            made.append(server.start())
        yield made
    finally:
        for server in made:
            server.stop()


@pytest.fixture
def whole(mortals: list[LocalTriton]) -> list[LocalTriton]:
    """The servers, all of them running."""
    for server in mortals:
        if server.status() is not None:
            server.start()
    return mortals


def register(folder: Path) -> None:
    """Register the model in the registry that the API will open."""
    store = open_store(RegistrySettings(database_url=f"sqlite:///{folder}/registry.db"))
    try:
        catalog = Catalog(store)
        catalog.register(
            "flights",
            signature=Signature(
                (TensorSpec("features", "FP32", (-1, FEATURES)),),
                (TensorSpec("score", "FP32", (-1, 1)),),
            ),
            digest=f"sha256:{1:064x}",
            served_name=MODEL,
            served_version="1",
        )
        catalog.set_alias("flights", "champion", 1)
    finally:
        store.close()


def question(seed: int, terms: Terms) -> tuple[bytes, np.ndarray]:
    """Return a request with the answer that is right."""
    features = np.random.default_rng(seed).random((3, FEATURES), dtype=np.float32)
    headers = bearer() | {"X-Request-Timeout-Ms": str(int(terms.deadline_s * 1000))}
    weights = np.linspace(-1, 1, FEATURES, dtype=np.float32)
    return infer_request(PATH, features, headers), features @ weights


async def load(client: Client, seed: int, terms: Terms, *, seconds: float) -> Seen:
    """Ask at a constant rate; see every answer checked."""
    request, expected = question(seed, terms)

    async def send() -> Reply:
        return await client.send(request)

    return await load_with(send, expected, terms, seconds=seconds)


async def load_with(send: Send, expected: np.ndarray, terms: Terms, *, seconds: float) -> Seen:
    """As `load`, by any way of sending."""

    def right(reply: Reply) -> bool:
        found = scores(reply)
        return found.shape == expected.shape and bool(np.allclose(found, expected, atol=1e-4))

    loop = open_loop(send, rate=terms.rate, seconds=seconds, limit_s=terms.limit_s, check=right)
    return Seen(await loop)


async def kill_and_start(server: LocalTriton, *, away_s: float) -> None:
    """End a server as the kernel would, have it away for a while, start it again."""
    os.kill(server.pid, signal.SIGKILL)
    await asyncio.sleep(away_s)
    await asyncio.to_thread(server.stop)
    await asyncio.to_thread(server.start)


async def stop_and_go(server: LocalTriton, *, away_s: float) -> None:
    """Freeze a server for a while."""
    pid = server.pid
    os.kill(pid, signal.SIGSTOP)
    try:
        await asyncio.sleep(away_s)
    finally:
        os.kill(pid, signal.SIGCONT)
