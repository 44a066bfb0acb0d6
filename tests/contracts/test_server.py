"""What every inference server keeps to: Triton itself, with its in-memory twin."""

import asyncio
import time
from collections.abc import AsyncIterator

import numpy as np
import pytest
import pytest_asyncio

from inference import errors
from inference.server import ModelStatistics, RepositoryEntry, Server
from inference.settings import InferenceSettings
from inference.tensors import InferRequest, check_answer
from inference.triton import TritonServer
from registry.domain import Signature, TensorSpec
from tests.conftest import TritonFactory
from tests.inference.scripted import DOUBLES, ScriptedModel, ScriptedServer

FIXED = ScriptedModel(
    Signature((TensorSpec("x", "FP32", (3,)),), (TensorSpec("y", "FP32", (3,)),)),
    lambda inputs: {"y": inputs["x"]},
)


@pytest_asyncio.fixture(params=["triton", "scripted"])
async def server(
    request: pytest.FixtureRequest, triton_factory: TritonFactory
) -> AsyncIterator[Server]:
    """A server with `faulty` and `rowless` loaded, that the test may change."""
    if request.param == "scripted":
        yield ScriptedServer("scripted", {"faulty": DOUBLES, "rowless": FIXED})
        return
    local = triton_factory(models=["faulty", "rowless"])
    made = TritonServer(local.grpc_url, settings=InferenceSettings(triton_urls=("unused",)))
    yield made
    await made.close()


def doubles(rows: int = 2, model: str = "faulty", version: str = "1") -> InferRequest:
    """Return a request that is good for `faulty`."""
    x = np.arange(rows, dtype=np.float32).reshape(-1, 1)
    return InferRequest(model, version, {"x": x}, ("y",), rows)


async def test_a_server_keeps_the_port(server: Server) -> None:
    """One server through all of the port, in the order of a model's life.

    One test, because a real server takes seconds to start.
    """
    await _answers_what_its_signature_promises(server)
    await _counts_what_it_does(server)
    await _describes_what_it_serves(server)
    await _refuses_what_it_does_not_serve(server)
    await _unloads_and_loads(server)
    await _closes(server)


async def _answers_what_its_signature_promises(server: Server) -> None:
    await server.greet()
    assert await server.live()
    for version in ("", "1"):
        assert await server.model_ready("faulty", version)
        assert await server.signature("faulty", version) == DOUBLES.signature
    answer = await server.infer(doubles(), timeout_s=60)
    check_answer(DOUBLES.signature, 2, answer.outputs, requested=("y",))
    assert answer.server == server.url
    assert answer.outputs["y"].ravel().tolist() == [0.0, 2.0]
    digest = await server.metadata_digest("faulty", "1")
    assert digest.startswith("metadata-sha256:")
    assert digest == await server.metadata_digest("faulty", "1")


async def _counts_what_it_does(server: Server) -> None:
    before = await _counted(server, 1)
    for _ in range(3):
        await server.infer(doubles(), timeout_s=60)
    after = await _counted(server, 4)
    assert (before.requests, after.requests, after.instances) == (1, 4, 1)
    assert 0 <= before.busy_s <= after.busy_s <= after.inside_s
    assert 0 <= before.queue_s <= after.queue_s <= after.inside_s


async def _counted(server: Server, requests: int) -> ModelStatistics:
    """Return the statistics with so many requests in them: Triton answers first, then counts."""
    end = time.monotonic() + 60
    while True:
        found = await server.statistics("faulty", "1")
        if found.requests >= requests or time.monotonic() > end:
            return found
        await asyncio.sleep(0.05)


async def _describes_what_it_serves(server: Server) -> None:
    said = await server.metadata("faulty", "1")
    assert (said.name, said.versions, said.max_batch_size) == ("faulty", ("1",), 0)
    assert (said.inputs, said.outputs) == (DOUBLES.signature.inputs, DOUBLES.signature.outputs)
    assert (await server.metadata("rowless", "")).inputs == FIXED.signature.inputs
    config = await server.config("faulty", "1")
    assert (config["name"], config["max_batch_size"]) == ("faulty", 0)
    (counts,) = await server.counts("faulty", "1")
    assert (counts["name"], counts["version"]) == ("faulty", "1")
    assert counts["inference_stats"]["success"]["count"] >= 4
    assert {each["name"] for each in await server.counts("", "")} == {"faulty", "rowless"}


async def _refuses_what_it_does_not_serve(server: Server) -> None:
    for missing in (doubles(model="nope"), doubles(version="7")):
        assert not await server.model_ready(missing.model, missing.version)
        with pytest.raises(errors.ModelNotReady) as caught:
            await server.infer(missing, timeout_s=60)
        assert caught.value.server == server.url
        with pytest.raises(errors.ModelNotReady):
            await server.signature(missing.model, missing.version)
        with pytest.raises(errors.ModelNotReady):
            await server.metadata_digest(missing.model, missing.version)
        with pytest.raises(errors.ModelNotReady):
            await server.statistics(missing.model, missing.version)
        for question in (server.metadata, server.config, server.counts):
            with pytest.raises(errors.ModelNotReady):
                await question(missing.model, missing.version)
    with pytest.raises(errors.SignatureMismatch):
        await server.signature("rowless", "1")
    with pytest.raises(errors.UnknownModel):
        await server.load("nope")
    wrong = InferRequest("faulty", "1", {"z": np.zeros((1, 1), np.float32)}, (), 1)
    with pytest.raises(errors.RequestRejected):
        await server.infer(wrong, timeout_s=60)


async def _unloads_and_loads(server: Server) -> None:
    for _ in range(2):
        await server.unload("faulty")
        await _until_unloaded(server)
    assert not await server.model_ready("faulty", "1")
    with pytest.raises(errors.ModelNotReady):
        await server.infer(doubles(), timeout_s=60)
    entries = {entry.name: entry for entry in await server.repository_index()}
    assert entries["faulty"].state != "READY"
    assert entries["rowless"] == RepositoryEntry("rowless", "1", "READY")
    for _ in range(2):
        await server.load("faulty")
    assert (await server.infer(doubles(), timeout_s=60)).outputs["y"].shape == (2, 1)


async def _until_unloaded(server: Server) -> None:
    end = time.monotonic() + 60
    while await server.model_ready("faulty", "1") and time.monotonic() < end:
        await asyncio.sleep(0.05)


async def _closes(server: Server) -> None:
    await server.close()
    await server.close()
