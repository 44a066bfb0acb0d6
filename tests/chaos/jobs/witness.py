"""Give orders to the model `witness`, and read what it noted."""

import json
import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

MODEL = "witness"
MODELS = Path(__file__).parent / "models"
_LONGER_THAN_A_LINE = 1000
"""Bytes."""


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


def rows_of(requests: Sequence[Noted]) -> int:
    """Return how many rows were inferred."""
    return sum(request.rows for request in requests)


def owned_by(pids: Iterable[int]) -> list[str]:
    """Return the names in /dev/shm of regions that these processes made."""
    own = tuple(f"nightshift-{pid}-" for pid in pids)
    return [path.name for path in Path("/dev/shm").iterdir() if path.name.startswith(own)]
