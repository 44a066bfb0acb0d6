"""Check what a person sees of a job's progress."""

from dataclasses import replace
from io import StringIO

import pytest
from rich.console import Console

from cli.progress import describe, plain_lines, shown
from flows.progress import Snapshot
from inference.breaker import State
from inference.health import PoolHealth, ServerHealth

START = Snapshot("resolve", 0, 0, 0, 0, 0, 0.0, None, None)
MIDDLE = replace(START, phase="score", rows_total=336776, rows_done=100000, rate=25000.4, eta_s=9.5)


def health(*states: State) -> PoolHealth:
    """A pool with a server in each state."""
    servers = tuple(
        ServerHealth(
            url=f"127.0.0.1:{port}",
            breaker=state,
            outstanding=0,
            window=4,
            ewma_s=0.0,
            not_ready=(),
        )
        for port, state in enumerate(states)
    )
    return PoolHealth(servers, waiting=0, requests=0, retries=0, overloads=0, failures=0)


@pytest.mark.parametrize(
    ("snapshot", "words"),
    [
        (START, ""),
        (MIDDLE, "100,000 of 336,776 rows, 25,000 rows/s, 10 s left"),
        (replace(MIDDLE, rate=0.0, eta_s=None), "100,000 of 336,776 rows"),
        (replace(MIDDLE, phase="publish"), "100,000 of 336,776 rows"),
        (
            replace(MIDDLE, rows_quarantined=8255, eta_s=125),
            "100,000 of 336,776 rows, 25,000 rows/s, 2 min 05 s left, 8,255 quarantined",
        ),
        (
            replace(MIDDLE, eta_s=7265, health=health(State.CLOSED, State.OPEN)),
            "100,000 of 336,776 rows, 25,000 rows/s, 2 h 01 min left, 1/2 servers up",
        ),
    ],
)
def test_one_line_says_how_far(snapshot: Snapshot, words: str) -> None:
    """Rows, rate, time left, quarantined rows, servers; only what is known."""
    assert describe(snapshot) == words


def test_plain_lines_are_few() -> None:
    """One for each phase, and one every other second."""
    seen = [
        (0.0, START),
        (0.5, START),
        (0.6, MIDDLE),
        (2.5, replace(MIDDLE, rows_done=1)),
        (2.7, replace(MIDDLE, rows_done=200000)),
        (2.8, replace(MIDDLE, phase="publish")),
    ]
    times = iter([now for now, _ in seen])
    lines: list[str] = []
    observe = plain_lines(lines.append, lambda: next(times))
    for _, snapshot in seen:
        observe(snapshot)
    assert lines == [
        "resolving the model",
        "scoring: 100,000 of 336,776 rows, 25,000 rows/s, 10 s left",
        "scoring: 200,000 of 336,776 rows, 25,000 rows/s, 10 s left",
        "publishing: 100,000 of 336,776 rows",
    ]


def test_a_file_gets_plain_lines() -> None:
    """No colours, no cursor movements."""
    written = StringIO()
    with shown(Console(file=written, width=20)) as observe:
        observe(MIDDLE)
    assert written.getvalue() == "scoring: 100,000 of 336,776 rows, 25,000 rows/s, 10 s left\n"


def test_a_terminal_gets_a_bar() -> None:
    """Drawn while the job runs, and gone afterwards."""
    written = StringIO()
    with shown(Console(file=written, width=120, force_terminal=True)) as observe:
        observe(START)
        observe(MIDDLE)
    drawn = written.getvalue()
    assert "100,000 of 336,776 rows" in drawn
    assert "30%" in drawn
