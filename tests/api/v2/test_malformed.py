"""Requests that are damaged in every way: refused, never a fault, never without an answer."""

import gzip
import random
import struct
from collections import Counter
from copy import deepcopy
from typing import Any

import httpx
import orjson
import pytest

from tests.api.v2.service import ROWS, Service
from tests.chaos.seeds import Chaos

LONG = 10_000
SAMPLE = 300
LONGEST_S = 60.0
ODD: tuple[Any, ...] = (
    *(None, True, False, 0, -1, 1, 2**31, 2**63, 2**64 - 1, 0.5, -0.0, 1e308),
    *("", "x", "FP32", "BYTES", "FP8", "\x00", "é" * 300, "../..", "9" * 50),
    *([], {}, [[]], [{}], {"": []}, [1, "a"], [0], [-1], [2**62, 2**62], ["a"] * 100),
)
RAW = (
    b"",
    b"{",
    b"null",
    b"[]",
    b"\xff\xfe",
    b"NaN",
    b"{}",
    b'{"inputs":NaN}',
    b'{"inputs":[1e999]}',
    b'{"id":"\\ud800","inputs":[]}',
    b"[" * 100_000,
    b'{"a":' * 20_000 + b"1" + b"}" * 20_000,
    b"\x00" * 1000,
    b'{"inputs":[{"name":"BYTES","shape":[-1],"datatype":"BYTES","data":[]}]}',
)


def tensor(name: str, datatype: str, shape: list[int], **parts: Any) -> dict[str, Any]:
    """Return an input of a request."""
    return {"name": name, "datatype": datatype, "shape": shape, **parts}


WORDS = struct.pack("<I", 1) + b"a" + struct.pack("<I", 0)
WHOLE: tuple[tuple[str, dict[str, Any], bytes], ...] = (
    ("scores", {"inputs": [tensor("features", "FP32", [2, 64], data=ROWS.tolist())]}, b""),
    (
        "scores@champion",
        {
            "id": "7",
            "parameters": {"binary_data_output": True, "priority": 1},
            "inputs": [tensor("features", "FP32", [2, 64], parameters={"binary_data_size": 512})],
            "outputs": [{"name": "score", "parameters": {"binary_data": True}}],
        },
        ROWS.tobytes(),
    ),
    (
        "echo",
        {
            "inputs": [
                tensor("BYTES", "BYTES", [2], parameters={"binary_data_size": len(WORDS)}),
                tensor("INT8", "INT8", [2], data=[1, -2]),
            ]
        },
        WORDS,
    ),
)
"""Requests that are answered as they are: a model, its JSON, the bytes that follow."""


def test_what_is_damaged_is_not_damaged_before(service: Service) -> None:
    """Each whole request is answered."""
    for model, told, behind in WHOLE:
        text = orjson.dumps(told)
        answer = sent(service, model, text + behind, {JSON_BYTES: str(len(text))})
        assert answer.status_code == 200, answer.text


@pytest.mark.chaos
@pytest.mark.timeout(1800)
def test_no_damaged_request_is_a_fault(service: Service, chaos: Chaos) -> None:
    """10,000 of them: each is answered in time, none with a fault of ours, all with `error`."""
    chance = chaos.random()
    seen: Counter[int] = Counter()
    for number in range(chaos.count(LONG, sample=SAMPLE)):
        model, body, headers = damaged(chance, number)
        answer = sent(service, model, body, headers)
        seen[answer.status_code] += 1
        assert answer.status_code < 500, (answer.text, body[:2000], headers)
        if answer.status_code != 200:
            assert isinstance(answer.json()["error"], str)
    refused = sum(count for status, count in seen.items() if status >= 400)
    assert refused > seen.total() / 2
    assert service.client.get("/v2/health/ready").status_code == 200
    chaos.tell(f"{dict(seen)}, seed {chaos.seed}")


JSON_BYTES = "Inference-Header-Content-Length"


def sent(service: Service, model: str, body: bytes, headers: dict[str, str]) -> httpx.Response:
    """Send a body; raises when no answer comes in time."""
    path = f"/v2/models/{model}/infer"
    return service.client.post(path, content=body, headers=headers, timeout=LONGEST_S)


def damaged(chance: random.Random, number: int) -> tuple[str, bytes, dict[str, str]]:
    """Return a request with something wrong: raw bytes, a part of the JSON, the body, a header."""
    if number < len(RAW):
        return "echo", RAW[number], {}
    model, told, behind = chance.choice(WHOLE)
    way = chance.randrange(4)
    if way == 0:
        told = orjson.loads(orjson.dumps(told))
        for _ in range(chance.randint(1, 3)):
            spoil(chance, told)
    text = orjson.dumps(told)
    body, headers = text + behind, {JSON_BYTES: str(len(text))}
    if way == 1:
        body = torn(chance, body)
    if way == 2:
        lengths = ("0", "-1", "x", "1e3", "", "9" * 30, str(chance.randrange(2 * len(body))))
        headers[JSON_BYTES] = chance.choice(lengths)
    if way == 3:
        packed = gzip.compress(body)
        body = chance.choice((body, torn(chance, packed), torn(chance, packed)))
        headers["Content-Encoding"] = chance.choice(("gzip", "deflate", "gzip, gzip", "br"))
    return model, body, headers


def spoil(chance: random.Random, told: Any) -> None:
    """Replace, add or take away one member somewhere in the JSON."""
    while True:
        keys = list(told) if isinstance(told, dict) else list(range(len(told)))
        if not keys:
            return
        key = chance.choice(keys)
        deeper = told[key]
        if not isinstance(deeper, dict | list) or chance.random() < 0.3:
            break
        told = deeper
    if isinstance(told, dict) and chance.random() < 0.2:
        del told[key]
    else:
        # A copy: what is spoiled next may lie in it.
        told[key] = deepcopy(chance.choice(ODD))


def torn(chance: random.Random, body: bytes) -> bytes:
    """Cut, double, flip or insert bytes."""
    start, stop = sorted(chance.randrange(len(body) + 1) for _ in range(2))
    piece = chance.randbytes(chance.randint(1, 8))
    return chance.choice(
        (
            body[:start],
            body[start:],
            body[:start] + body[stop:],
            body[:stop] + body[start:],
            body[:start] + piece + body[start + len(piece) :],
            body[:start] + piece + body[start:],
        )
    )
