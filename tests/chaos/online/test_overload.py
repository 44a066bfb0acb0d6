"""Three times the load that the servers bear: what is answered, what is refused, and after."""

import asyncio
import json
from pathlib import Path

import numpy as np
import pytest

from benchmarks.online.client import Client, Reply
from benchmarks.online.load import Sample, Send, closed_loop, open_loop, percentile
from benchmarks.online.site import bearer, running_api
from cli.stack.triton import LocalTriton
from tests.chaos.online.conftest import SLOW
from tests.chaos.seeds import Chaos

pytestmark = [pytest.mark.triton, pytest.mark.chaos]

ROWS = 4
"""Each takes the model 10 ms."""
ASKS_FOR_TIME = -40.0
DEADLINE_S = 2.0
LIMIT_S = 60.0
"""How long the client waits."""
RECOVERY_S = 10.0
BUSY = 503


@pytest.mark.timeout(400)
async def test_three_times_too_much(tmp_path: Path, whole: list[LocalTriton], chaos: Chaos) -> None:
    """Who is refused hears it at once, and four fifths of what can be done is done."""
    seconds = 6.0 if chaos.scale is None else max(6.0, 120.0 * chaos.scale)
    request = _request()
    with running_api(tmp_path, [whole[0].grpc_url]) as api:
        client = Client(api.port)

        async def send() -> Reply:
            return await client.send(request)

        most = await closed_loop(send, connections=4, seconds=3.0)
        samples = await open_loop(send, rate=3 * most, seconds=seconds, limit_s=LIMIT_S)
        after = asyncio.get_running_loop().time()
        while any(each.status != 200 for each in await _second(send, most / 2)):
            assert asyncio.get_running_loop().time() < after + 10 * RECOVERY_S
        recovered_s = asyncio.get_running_loop().time() - after
        client.close()
    answered = [each for each in samples if each.status == 200 and each.latency_s <= DEADLINE_S]
    refused = [each for each in samples if each.status == BUSY]
    goodput = len(answered) / seconds / most
    slowest_s = percentile(refused, 0.99) if refused else 0.0
    told = (
        f"{most:.0f}/s borne, {3 * most:.0f}/s sent for {seconds:.0f} s: {goodput:.0%} of it "
        f"answered in time, {len(refused)} refused in {slowest_s * 1000:.0f} ms (p99), well after "
        f"{recovered_s:.1f} s"
    )
    chaos.tell(told)
    assert answered
    assert refused
    assert {each.status for each in samples} <= {200, BUSY, 504}, told
    # A sample shares its machine with other tests: how much it bears changes from second to second.
    if chaos.scale is not None:
        assert goodput >= 0.8, told
        assert slowest_s < 0.05, told
        assert recovered_s < RECOVERY_S, told


async def _second(send: Send, rate: float) -> list[Sample]:
    return await open_loop(send, rate=rate, seconds=1.0, limit_s=LIMIT_S)


def _request() -> bytes:
    x = np.full((ROWS, 1), ASKS_FOR_TIME, np.float32)
    content = x.tobytes()
    told = {
        "inputs": [
            {
                "name": "x",
                "datatype": "FP32",
                "shape": [ROWS, 1],
                "parameters": {"binary_data_size": len(content)},
            }
        ]
    }
    text = json.dumps(told).encode()
    lines = {
        "Host": "bench",
        "Inference-Header-Content-Length": str(len(text)),
        "Content-Length": str(len(text) + len(content)),
        "X-Request-Timeout-Ms": str(int(DEADLINE_S * 1000)),
        **bearer(),
    }
    head = f"POST /v2/models/{SLOW}/infer HTTP/1.1\r\n"
    head += "".join(f"{name}: {value}\r\n" for name, value in lines.items())
    return head.encode() + b"\r\n" + text + content
