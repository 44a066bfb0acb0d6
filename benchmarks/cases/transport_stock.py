"""Send the same rows over and over through one of Triton's stock clients.

`python -m benchmarks.cases.transport_stock TASK`, in the peers' environment; the knobs are
`batch_rows`, `in_flight`, each with a thread and a connection of its own, `milliseconds` and
`grpc`, which is 0 for HTTP.
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
    ready = threading.Barrier(knobs["in_flight"] + 1)
    done = [0] * knobs["in_flight"]

    def send(number: int) -> None:
        client = Client(task)  # it belongs to the thread that makes it
        client.ask(rows)
        ready.wait()
        deadline = time.monotonic() + knobs["milliseconds"] / 1000
        while time.monotonic() < deadline:
            client.ask(rows)
            done[number] += len(rows)

    threads = [threading.Thread(target=send, args=(number,)) for number in range(len(done))]
    for thread in threads:
        thread.start()
    ready.wait()
    with timed() as told:
        start = time.monotonic()
        for thread in threads:
            thread.join()
        told |= {"rows": sum(done), "seconds": time.monotonic() - start}


if __name__ == "__main__":
    main(Task.from_json(sys.argv[1]))
