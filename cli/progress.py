"""Show on a terminal how far a job is."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, Progress, SpinnerColumn, TaskProgressColumn, TextColumn

from flows.progress import Observer, Snapshot
from inference.breaker import State

_PLAIN_EVERY_S = 2.0
"""Seconds between plain lines: a log stays readable, and nobody wonders whether it hangs."""
_PHASES = {
    "resolve": "resolving the model",
    "plan": "planning",
    "score": "scoring",
    "publish": "publishing",
    "report": "writing the report",
}


@contextmanager
def shown(console: Console) -> Iterator[Observer]:
    """Give an observer that draws a bar on a terminal and prints plain lines elsewhere."""
    if not console.is_terminal:
        yield plain_lines(lambda line: console.print(line, highlight=False, soft_wrap=True))
        return
    columns = (SpinnerColumn(), TextColumn("{task.description}"), BarColumn())
    with Progress(
        *columns,
        TaskProgressColumn(),
        TextColumn("{task.fields[told]}"),
        console=console,
        transient=True,
    ) as progress:
        bar = progress.add_task("", total=None, told="")

        def observe(snapshot: Snapshot) -> None:
            progress.update(
                bar,
                description=_PHASES[snapshot.phase],
                total=snapshot.rows_total or None,
                completed=snapshot.rows_done,
                told=describe(snapshot),
            )

        yield observe


def plain_lines(
    write: Callable[[str], None], clock: Callable[[], float] = time.monotonic
) -> Observer:
    """Return an observer that writes a line for each phase, and one every other second."""
    last: list[tuple[str, float]] = []

    def observe(snapshot: Snapshot) -> None:
        now = clock()
        if last and last[0][0] == snapshot.phase and now - last[0][1] < _PLAIN_EVERY_S:
            return
        last[:] = [(snapshot.phase, now)]
        told = describe(snapshot)
        write(f"{_PHASES[snapshot.phase]}{': ' if told else ''}{told}")

    return observe


def describe(snapshot: Snapshot) -> str:
    """Say rows, rate, time left, quarantined rows and the pool's state in one line."""
    if not snapshot.rows_total:
        return ""
    told = [f"{snapshot.rows_done:,} of {snapshot.rows_total:,} rows"]
    if snapshot.phase == "score" and snapshot.rate > 0:
        told.append(f"{snapshot.rate:,.0f} rows/s")
    if snapshot.phase == "score" and snapshot.eta_s is not None:
        told.append(f"{_duration(snapshot.eta_s)} left")
    if snapshot.rows_quarantined:
        told.append(f"{snapshot.rows_quarantined:,} quarantined")
    return ", ".join([*told, *_pool(snapshot)])


def _pool(snapshot: Snapshot) -> list[str]:
    if snapshot.health is None:
        return []
    servers = snapshot.health.servers
    up = sum(server.breaker is State.CLOSED for server in servers)
    return [f"{up}/{len(servers)} servers up"]


def _duration(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours} h {minutes:02d} min"
    return f"{minutes} min {rest:02d} s" if minutes else f"{rest} s"
