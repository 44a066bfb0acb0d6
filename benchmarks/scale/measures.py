"""Measure rates over workers, and what a job of very many shards costs Prefect's server."""

import json
import sqlite3
import statistics
import threading
import time
import urllib.request
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from benchmarks.scale.site import Site

SHARD_ROWS = 100


@dataclass(frozen=True, slots=True)
class Rate:
    """One job on so many workers."""

    workers: int
    """Workers, of one slice at a time each."""
    slices: int
    """Slices of the job, as many for each worker."""
    slice_s: float
    """Seconds that the model sleeps over one slice."""
    scoring_s: float
    """From the first slice's submission to the last part, starts of processes included."""
    together_s: float
    """The part of that in which every worker was scoring."""
    together_share: float
    """Model seconds per worker and second while every worker was scoring; 1 is the ideal."""
    coordinator_s: float
    """What the job's own run took before that and after it."""

    @property
    def share(self) -> float:
        """Model seconds per worker and second over the whole of it; 1 is the ideal."""
        return self.slices * self.slice_s / self.workers / self.scoring_s

    @property
    def coordinator_limit_s(self) -> float:
        """What the job's own run may take: 5 s, and 50 ms a slice."""
        return 5.0 + 0.05 * self.slices


def measure_rate(site: Site, workers: int, *, shards: int, shard_s: float) -> Rate:
    """Have each of `workers` score one slice of `shards` shards."""
    name = f"rate-{workers}"
    dataset = site.dataset(name, shards=workers * shards, rows=SHARD_ROWS, shard_s=shard_s)
    with site.workers(workers):
        time.sleep(8.0)  # until each has told Prefect of itself
        told = site.job(
            dataset,
            f"out-{name}",
            shard_rows=SHARD_ROWS,
            slice_rows=shards * SHARD_ROWS,
            slice_wait_s=600,
            slice_help_s=3600,
        )
    written = _written(site.folder / f"out-{name}")
    slices = [written[start : start + shards] for start in range(0, len(written), shards)]
    start, stop = max(min(each) for each in slices), min(max(each) for each in slices)
    between = sum(start < at <= stop for at in written)
    last = max(written)
    return Rate(
        workers=workers,
        slices=len(slices),
        slice_s=shards * shard_s,
        scoring_s=last - told["score"],
        together_s=stop - start,
        together_share=between * shard_s / workers / (stop - start) if stop > start else 0.0,
        coordinator_s=told["score"] - told["began"] + told["ended"] - last,
    )


def _written(output: Path) -> list[float]:
    """Return when each part was finished, by shard, in seconds since the epoch."""
    manifest = json.loads((output / "_manifest.json").read_text())
    return [datetime.fromisoformat(part["written_at"]).timestamp() for part in manifest["parts"]]


@dataclass(frozen=True, slots=True)
class Health:
    """What one job did to Prefect's server."""

    shards: int
    """Shards of the job."""
    seconds: float
    """How long the job took."""
    runs: int
    """Flow runs that it made."""
    task_runs: int
    """Task runs that the server has of them."""
    database_bytes: int
    """Growth of the server's database."""
    api_ms: Mapping[str, float]
    """Answers to a page of flow runs meanwhile: median, p99 and the slowest."""


def measure_health(site: Site, *, shards: int, workers: int) -> Health:
    """Have `workers` score so many small shards, and ask the server for pages meanwhile."""
    dataset = site.dataset("health", shards=shards, rows=10, shard_s=0.0)
    before, waits, ended = _database(site), list[float](), threading.Event()
    asking = threading.Thread(target=_ask, args=(site, waits, ended))
    began = time.monotonic()
    with site.workers(workers):
        asking.start()
        try:
            site.job(dataset, "out-health", shard_rows=10, slice_wait_s=600)
        finally:
            ended.set()
            asking.join()
    after = _database(site)
    return Health(
        shards=shards,
        seconds=time.monotonic() - began,
        runs=after[0] - before[0],
        task_runs=after[1] - before[1],
        database_bytes=after[2] - before[2],
        api_ms=_summary(waits),
    )


def _database(site: Site) -> tuple[int, int, int]:
    """Return the server's flow runs, task runs and bytes on disk."""
    files = list(site.prefect.home.glob("*.db*"))
    (path,) = [file for file in files if file.suffix == ".db"]
    database = sqlite3.connect(f"file:{path}?mode=ro", uri=True)
    try:
        counts = [
            database.execute(f"select count(*) from {table}").fetchone()[0]
            for table in ("flow_run", "task_run")
        ]
    finally:
        database.close()
    return counts[0], counts[1], sum(file.stat().st_size for file in files)


def _ask(site: Site, waits: list[float], ended: threading.Event) -> None:
    """Ask for a page of flow runs twice a second, as an open page of the UI does."""
    request = urllib.request.Request(
        f"{site.prefect.api_url}/flow_runs/filter",
        data=b'{"limit": 50, "sort": "START_TIME_DESC"}',
        headers={"Content-Type": "application/json"},
    )
    while not ended.wait(0.5):
        began = time.monotonic()
        with urllib.request.urlopen(request, timeout=60) as answer:
            answer.read()
        waits.append((time.monotonic() - began) * 1e3)


def _summary(waits: Sequence[float]) -> dict[str, float]:
    in_order = sorted(waits)
    return {
        "median": statistics.median(in_order),
        "p99": in_order[int(0.99 * (len(in_order) - 1))],
        "slowest": in_order[-1],
    }
