"""Tell the harness when the timed part of a case begins; standard library only."""

import json
import os
import resource
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

EVENTS = "NIGHTSHIFT_BENCH_EVENTS"
"""Names the file descriptor that the harness reads; without it events go to standard output."""


@contextmanager
def timed() -> Iterator[dict[str, object]]:
    """Measure the block; what is put into the given dictionary is told beside its seconds."""
    told: dict[str, object] = {}
    _tell({"event": "begin"})
    start = time.monotonic()
    yield told
    seconds = time.monotonic() - start
    peak_bytes = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    _tell({"event": "end", "seconds": seconds, "peak_bytes": peak_bytes, **told})


def _tell(event: dict[str, object]) -> None:
    line = json.dumps(event) + "\n"
    if EVENTS in os.environ:
        os.write(int(os.environ[EVENTS]), line.encode())
    else:
        sys.stdout.write(line)
        sys.stdout.flush()
