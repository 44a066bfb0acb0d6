"""Requests that are sent to each side, and their order."""

import asyncio
import itertools
import json

import numpy as np

from benchmarks.online.client import Reply, infer_request, json_request
from benchmarks.online.load import Send
from benchmarks.online.sides import rates

ROWS = np.arange(4, dtype=np.float32).reshape(2, 2)


async def test_each_turn_begins_with_the_next_side() -> None:
    """Nobody is always the first; a round that is not counted comes before."""
    asked: list[str] = []

    def sends(name: str) -> Send:
        async def one() -> Reply:
            asked.append(name)
            await asyncio.sleep(0)
            return Reply(200, b"", None)

        return one

    sides = {"a": sends("a"), "b": sends("b")}
    found = await rates(sides, callers=1, seconds=0.001, turns=2)
    # `b` ends the first turn, then begins the second.
    assert [name for name, _ in itertools.groupby(asked)] == ["a", "b", "a", "b", "a"]
    assert {name: len(values) for name, values in found.items()} == {"a": 2, "b": 2}


def test_both_forms_of_a_request_say_the_same() -> None:
    """Name, datatype, shape and numbers."""
    binary = infer_request("/path", ROWS, {"Who": "me"})
    plain = json_request("/path", ROWS, {"Who": "me"})
    assert binary.startswith(b"POST /path HTTP/1.1\r\nHost: bench\r\n")
    assert b"\r\nWho: me\r\n" in binary
    assert b"\r\nWho: me\r\n" in plain
    body = json.loads(plain.partition(b"\r\n\r\n")[2])
    assert body["inputs"] == [
        {"name": "features", "datatype": "FP32", "shape": [2, 2], "data": [0, 1, 2, 3]}
    ]
    assert binary.endswith(ROWS.tobytes())
