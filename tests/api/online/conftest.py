"""An engine over scripted servers and a real registry."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import prometheus_client
import pytest_asyncio

from api.online.engine import Engine
from api.online.opening import open_engine
from api.online.port import OnlineCall, OnlineName
from api.online.settings import OnlineSettings
from inference.open_pools import OpenPools
from inference.server import Server
from inference.settings import InferenceSettings
from inference.tensors import Array, RawTensor
from registry.opening import Registry, open_registry
from registry.settings import RegistrySettings
from telemetry.online import OnlineMetrics
from tests.inference.scripted import DOUBLES, ScriptedModel, ScriptedServer
from tests.inference.test_pool import QUICK


def triples(inputs: Mapping[str, Array]) -> Mapping[str, Array]:
    """Answer `y = 3 x`."""
    return {"y": inputs["x"] * 3}


MODELS = {"doubles": DOUBLES, "triples": ScriptedModel(DOUBLES.signature, triples)}


@dataclass(frozen=True, slots=True)
class Site:
    """All that answers, with what stands behind it."""

    engine: Engine
    registry: Registry
    pools: OpenPools
    servers: dict[str, ScriptedServer]
    counted: prometheus_client.CollectorRegistry

    def count(self, name: str, **labels: str) -> float:
        """Return what a metric says; 0 for one that was never counted."""
        return self.counted.get_sample_value(name, labels) or 0.0


@asynccontextmanager
async def opened(
    folder: Path, *urls: str, settings: InferenceSettings = QUICK, **given: float
) -> AsyncIterator[Site]:
    """Open a site whose pool `gpu` has these servers; `given` are settings of the engine.

    Version 1 of `flights`, the champion, doubles; version 2 triples.
    """
    servers: dict[str, ScriptedServer] = {}

    def connect(url: str, _: InferenceSettings) -> Server:
        return servers.setdefault(url, ScriptedServer(url, MODELS))

    counted = prometheus_client.CollectorRegistry()
    async with AsyncExitStack() as open_now:
        where = RegistrySettings(database_url=f"sqlite:///{folder}/registry.db")
        registry = await open_now.enter_async_context(open_registry(where))
        await asyncio.to_thread(_fill, registry)
        pools = await open_now.enter_async_context(OpenPools(settings, connect=connect))
        await pools.sync({"gpu": urls})
        online = OnlineSettings(**given)  # type: ignore[arg-type]  # pydantic checks them
        engine = await open_now.enter_async_context(
            open_engine(registry, pools, OnlineMetrics(counted), online)
        )
        yield Site(engine, registry, pools, servers, counted)


def _fill(registry: Registry) -> None:
    for number, served in enumerate(MODELS, start=1):
        registry.catalog.register(
            "flights",
            signature=DOUBLES.signature,
            digest=f"sha256:{number:064x}",
            served_name=served,
            served_version="1",
        )
    registry.catalog.set_alias("flights", "champion", 1)


@pytest_asyncio.fixture
async def site(tmp_path: Path) -> AsyncIterator[Site]:
    """Two servers, a and b."""
    async with opened(tmp_path, "a", "b") as made:
        yield made


def call(
    *numbers: float,
    model: str = "flights",
    alias: str | None = None,
    version: int | None = None,
    key: str = "",
    pinned: int | None = None,
    deadline_s: float | None = None,
    priority: int = 0,
    may_go_first: bool = False,
) -> OnlineCall:
    """Return a request for these numbers."""
    x = np.array(numbers or (1.0,), dtype=np.float32).reshape(-1, 1)
    return OnlineCall(
        name=OnlineName(model, alias, version),
        inputs=(RawTensor("x", "FP32", x.shape, memoryview(x.tobytes())),),
        outputs=("y",),
        request_id="r1",
        deadline_s=deadline_s,
        priority=priority,
        may_go_first=may_go_first,
        sticky_key=key,
        pinned=pinned,
        traceparent="00-1-2-01",
    )


def numbers_of(outputs: tuple[RawTensor, ...]) -> list[float]:
    """Return the numbers of the one output."""
    (tensor,) = outputs
    found: list[float] = np.frombuffer(bytes(tensor.content), dtype=np.float32).tolist()
    return found
