"""Send the same rows over and over through Triton's stock HTTP client.

`python -m benchmarks.cases.transport_http TASK`, in the peers' environment; the knobs are
`batch_rows`, `in_flight`, each with a thread and a connection of its own, and `milliseconds`.
"""

import sys
import threading
import time

import numpy as np

from benchmarks.cases.client import Client
from benchmarks.cases.clock import timed
from benchmarks.cases.task import Task


def main(task: Task) -> None:
    """Tell rows and seconds."""
    knobs = task.knobs
    rows = np.random.default_rng(0).random((knobs["batch_rows"], task.width), dtype=np.float32)
    clients = [Client(task) for _ in range(knobs["in_flight"])]
    for client in clients:
        client.ask(rows)
    done = [0] * len(clients)

    def send(number: int, deadline: float) -> None:
        while time.monotonic() < deadline:
            clients[number].ask(rows)
            done[number] += len(rows)

    with timed() as told:
        start = time.monotonic()
        deadline = start + knobs["milliseconds"] / 1000
        threads = [
            threading.Thread(target=send, args=(number, deadline)) for number in range(len(clients))
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        told |= {"rows": sum(done), "seconds": time.monotonic() - start}


if __name__ == "__main__":
    main(Task.from_json(sys.argv[1]))
