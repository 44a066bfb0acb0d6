"""Give orders to the model `witness`, and read what it noted."""

import json
import os
import urllib.request
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

MODEL = "witness"
MODELS = Path(__file__).parent / "models"
_LONGER_THAN_A_LINE = 1000
"""Bytes."""
_NO_ROW = -1
"""Number of a row that is in no dataset."""


@dataclass(frozen=True, slots=True)
class Noted:
    """One request, as the model saw it."""

    at_s: float
    """When, by the machine's monotonic clock."""
    server: int
    """Process id of the server."""
    first: int
    """Number of its first row."""
    rows: int
    """How many rows it had."""
    fault: str
    """What the model did wrong; `-` when nothing."""


class Witness:
    """The journal and the orders of the servers that are started with its `environment`."""

    def __init__(self, folder: Path) -> None:
        self._journal = folder / "journal"
        self._orders = folder / "orders.json"
        self._journal.touch()

    @property
    def environment(self) -> dict[str, str]:
        """What a server must have in its environment when it starts."""
        return {
            "WITNESS_JOURNAL": str(self._journal),
            "WITNESS_ORDERS": str(self._orders),
        }

    def order(self, **orders: Any) -> None:
        """Have requests go as said from now on: `pause_s`, `fault`, `rows`."""
        draft = self._orders.with_suffix(".draft")
        draft.write_text(json.dumps(orders))
        draft.replace(self._orders)

    def mark(self) -> int:
        """Where the journal's last whole line ends now: a reader may see the half of a write."""
        with self._journal.open("rb") as journal:
            start = max(0, journal.seek(0, os.SEEK_END) - _LONGER_THAN_A_LINE)
            journal.seek(start)
            return start + journal.read().rfind(b"\n") + 1

    def noted(self, start: int = 0, stop: int | None = None) -> list[Noted]:
        """Return the requests between two marks."""
        end = self.mark() if stop is None else stop
        with self._journal.open("rb") as journal:
            journal.seek(start)
            data = journal.read(end - start)
        return [_noted(line) for line in data.decode().splitlines()]


def _noted(line: str) -> Noted:
    at_s, server, first, rows, fault = line.split()
    return Noted(float(at_s), int(server), int(first), int(rows), fault)


def shards_of(requests: Iterable[Noted], *, shard_rows: int) -> set[int]:
    """Return the shards that requests were for, where ids count through shards of one size."""
    return {request.first // shard_rows for request in requests}


def asked_twice(requests: Iterable[Noted]) -> list[int]:
    """Return the first rows of microbatches that were asked for more than once."""
    times = Counter(request.first for request in requests)
    return sorted(first for first, count in times.items() if count > 1)


def settle(http_url: str) -> None:
    """Return when a server has done all that it was asked before, by clients that are dead too.

    The model has one instance and takes requests in turn. This one's row has the number -1.
    """
    x = {"name": "x", "datatype": "FP32", "shape": [1, 2], "data": [_NO_ROW, 0]}
    body = json.dumps({"inputs": [x]}).encode()
    urllib.request.urlopen(f"{http_url}/v2/models/{MODEL}/infer", body, timeout=60).close()


def of_jobs(requests: Iterable[Noted]) -> list[Noted]:
    """Leave out the requests of `settle`."""
    return [request for request in requests if request.first != _NO_ROW]


def rows_of(requests: Sequence[Noted]) -> int:
    """Return how many rows were inferred."""
    return sum(request.rows for request in requests)


def owned_by(pids: Iterable[int]) -> list[str]:
    """Return the names in /dev/shm of regions that these processes made."""
    own = tuple(f"nightshift-{pid}-" for pid in pids)
    return [path.name for path in Path("/dev/shm").iterdir() if path.name.startswith(own)]
