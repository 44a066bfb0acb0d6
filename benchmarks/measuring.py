"""Run one case in its own process and measure it."""

import json
import os
import select
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.cases.clock import EVENTS
from benchmarks.processes import Usage, usage
from cli.stack.process import GuardedProcess

_LOOK_S = 0.2
"""Between two looks at the memory: each costs some milliseconds of one processor."""
_LIMIT_S = 300.0
"""A case that takes longer is stuck: workloads are sized for seconds."""
_WORDS = 300
"""Characters of a failed case's last words that are shown."""


class CaseFailed(Exception):
    """A case ended without its figures."""


@dataclass(frozen=True, slots=True)
class Run:
    """What one run of a case took, in its timed part."""

    seconds: float
    """From the first read to the last file written."""
    rows: int | None
    """Rows that it says it handled; None when that is the whole dataset."""
    cpu_s: float
    """Processor time of the case with all that it started; servers are not in it."""
    server_cpu_s: float
    """Processor time of Triton meanwhile."""
    peak_bytes: int
    """Peak memory: the larger of the first process's own peak, and of the processes' sum, looked
    at five times a second."""
    notes: Mapping[str, Any]
    """What else the case told."""


def run_case(
    name: str,
    command: list[str],
    *,
    environment: Mapping[str, str],
    server_pid: int,
    log: Path,
    limit_s: float = _LIMIT_S,
) -> Run:
    """Run the command and measure its timed part; nothing of it is left running.

    What others wrote is on the disk before it starts: else a case that waits until its own output
    is durable would wait for theirs too.

    Raises `CaseFailed` with the last words of its log.
    """
    os.sync()
    reading, writing = os.pipe()
    # Without bytecode every process of a peer would compile what it imports.
    kept = {name: value for name, value in environment.items() if name != "PYTHONDONTWRITEBYTECODE"}
    process = GuardedProcess(
        name,
        command,
        log=log,
        env=kept | {EVENTS: str(writing)},
        grace_s=5.0,
        held=(writing,),
    )
    with os.fdopen(reading, "rb", buffering=0) as events, process:
        os.close(writing)
        watch = _Watch(process.pid, server_pid)
        deadline = time.monotonic() + limit_s
        for line in _lines(events.fileno(), deadline, watch.look):
            watch.take(json.loads(line))
        status = process.status()
    run = watch.run()
    if run is None or time.monotonic() > deadline:
        words = process.last_lines()[-_WORDS:]
        raise CaseFailed(f"{name} ended without its figures (status {status}, {log}): {words}")
    return run


class _Watch:
    """Takes a case's events and looks at its processes."""

    def __init__(self, pid: int, server_pid: int) -> None:
        self._pid = pid
        self._server_pid = server_pid
        self._began: tuple[Usage, Usage] | None = None
        self._ended: tuple[Usage, Usage] | None = None
        self._told: dict[str, Any] = {}
        self._peak = 0

    def look(self) -> None:
        """Note the memory in use."""
        if self._began and not self._ended:
            self._peak = max(self._peak, usage(self._pid).resident_bytes)

    def take(self, event: dict[str, Any]) -> None:
        """Note the processor time when the timed part begins or ends."""
        now = (usage(self._pid), usage(self._server_pid))
        if event.pop("event") == "begin":
            self._began = now
        else:
            self._ended = now
            self._told = event
        self._peak = max(self._peak, now[0].resident_bytes)

    def run(self) -> Run | None:
        """Return the measurement; None when the timed part did not end."""
        if self._began is None or self._ended is None:
            return None
        told = dict(self._told)
        own, server = (
            after.cpu_s - before.cpu_s
            for before, after in zip(self._began, self._ended, strict=True)
        )
        return Run(
            seconds=float(told.pop("seconds")),
            rows=told.pop("rows", None),
            cpu_s=round(own, 2),
            server_cpu_s=round(server, 2),
            peak_bytes=max(self._peak, int(told.pop("peak_bytes"))),
            notes=told,
        )


def _lines(descriptor: int, deadline: float, look: Any) -> Any:
    """Give the lines that arrive until the pipe closes, looking at the processes in between."""
    rest = b""
    while time.monotonic() < deadline:
        readable, _, _ = select.select([descriptor], [], [], _LOOK_S)
        if not readable:
            look()
            continue
        data = os.read(descriptor, 65_536)
        if not data:
            return
        *lines, rest = (rest + data).split(b"\n")
        yield from lines
