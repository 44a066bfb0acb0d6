"""Feed Triton from memory as fast as it takes it: what no pipeline can surpass.

`python -m benchmarks.cases.triton_ceiling TASK`, in the peers' environment. Inputs and answers lie
in system shared memory that is registered once; several requests are in flight, each from a thread
with a connection of its own. Without knobs, sizes and numbers of requests are tried in turn for a
moment each, and the best is measured. Nothing is read, checked or written meanwhile. gRPC carries
the requests, which are tiny: HTTP was as fast.
"""

import itertools
import math
import os
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import numpy as np
import pyarrow.parquet as pq
from tritonclient import grpc
from tritonclient.utils import InferenceServerException, serialize_byte_tensor, shared_memory

from benchmarks.cases.clock import timed
from benchmarks.cases.columns import to_array
from benchmarks.cases.task import Task

_WAYS = tuple(itertools.product((4_096, 16_384, 32_768, 65_536), (1, 2, 4)))
"""Rows of a request, requests in flight."""
_WARM_S = 0.1
_TRY_S = 0.5
_RELEASE_S = 5.0
_MEASURE_S = 2.0


def main(task: Task) -> None:
    """Tell rows and seconds of the best way."""
    tried = {} if task.knobs else {way: _try(task, *way) for way in _WAYS}
    best = max(tried, key=lambda way: tried[way]) if tried else None
    rows, in_flight = best or (task.knobs["batch_rows"], task.knobs["in_flight"])
    with _senders(task, rows, in_flight) as senders:
        _run(senders, _WARM_S)
        with timed() as told:
            done, seconds = _run(senders, _MEASURE_S)
            told |= {
                "seconds": seconds,
                "rows": done * rows,
                "knobs": {"batch_rows": rows, "in_flight": in_flight},
                "tried": {f"{a} × {b}": round(rate) for (a, b), rate in tried.items()},
            }


def _try(task: Task, rows: int, in_flight: int) -> float:
    """Return the rows per second of a moment."""
    with _senders(task, rows, in_flight) as senders:
        _run(senders, _WARM_S)
        done, seconds = _run(senders, _TRY_S)
        return done * rows / seconds


class _Sender:
    """One request over and over, from its own shared memory, over its own connection."""

    def __init__(self, task: Task, array: np.ndarray[Any, Any], stack: ExitStack) -> None:
        self._task = task
        self._client = grpc.InferenceServerClient(task.grpc_url)
        data = serialize_byte_tensor(array) if task.datatype == "BYTES" else array
        payload = np.frombuffer(data.item() if task.datatype == "BYTES" else data, np.uint8)
        answer_bytes = len(array) * task.output_width * 4
        self._input = grpc.InferInput(task.input, array.shape, task.datatype)
        self._input.set_shared_memory(self._region(stack, payload.size, payload), payload.size)
        self._output = grpc.InferRequestedOutput(task.output_name)
        self._output.set_shared_memory(self._region(stack, answer_bytes, None), answer_bytes)

    def _region(self, stack: ExitStack, size: int, data: np.ndarray[Any, Any] | None) -> str:
        name = f"nightshift-bench-{os.getpid()}-{time.monotonic_ns()}"
        handle = shared_memory.create_shared_memory_region(name, f"/{name}", size)
        stack.callback(shared_memory.destroy_shared_memory_region, handle)
        if data is not None:
            shared_memory.set_shared_memory_region(handle, [data])
        self._client.register_system_shared_memory(name, f"/{name}", size)
        stack.callback(self._unregister, name)
        return name

    def _unregister(self, name: str) -> None:
        """Have Triton forget a region, which it may still hold a moment after the last answer."""
        deadline = time.monotonic() + _RELEASE_S
        while True:
            try:
                self._client.unregister_system_shared_memory(name)
            except InferenceServerException:
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.01)
            else:
                return

    def send_until(self, deadline: float) -> int:
        """Return how many requests were answered."""
        done = 0
        while time.monotonic() < deadline:
            self._client.infer(self._task.model, [self._input], outputs=[self._output])
            done += 1
        return done


@contextmanager
def _senders(task: Task, rows: int, in_flight: int) -> Iterator[list[_Sender]]:
    """Make the senders; their memory is unregistered and removed at the end."""
    array = _first_rows(task, rows)
    with ExitStack() as stack:
        yield [_Sender(task, array, stack) for _ in range(in_flight)]


def _first_rows(task: Task, rows: int) -> np.ndarray[Any, Any]:
    table = pq.read_table(task.files[0], columns=list(task.columns)).combine_chunks()
    columns = [table[name].combine_chunks() for name in task.columns]
    array = to_array(columns, datatype=task.datatype, width=task.width)
    return np.tile(array, (math.ceil(rows / len(array)), 1))[:rows]


def _run(senders: list[_Sender], seconds: float) -> tuple[int, float]:
    """Send from all for so long; return the requests answered and the seconds it took."""
    start = time.monotonic()
    done = [0] * len(senders)

    def send(number: int) -> None:
        done[number] = senders[number].send_until(start + seconds)

    threads = [threading.Thread(target=send, args=(number,)) for number in range(len(senders))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return sum(done), time.monotonic() - start


if __name__ == "__main__":
    main(Task.from_json(sys.argv[1]))
