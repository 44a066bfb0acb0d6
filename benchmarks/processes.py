"""Read what a process and all that it started use, from /proc."""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

_PROC = Path("/proc")
_TICK_S = 1 / os.sysconf("SC_CLK_TCK")
_PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")


@dataclass(frozen=True, slots=True)
class Usage:
    """What a tree of processes uses."""

    cpu_s: float
    """Processor time so far, user and system, with that of children that have ended."""
    resident_bytes: int
    """Memory now; what processes share is counted once, as the most that one of them shares."""


def usage(root_pid: int) -> Usage:
    """Look at the process and its descendants; those that end meanwhile are left out."""
    ticks = private = shared = 0
    for pid, used in _tree(root_pid):
        try:
            _, resident, common, *_ = (_PROC / str(pid) / "statm").read_text().split()
        except OSError:
            continue
        ticks += used
        private += int(resident) - int(common)
        shared = max(shared, int(common))
    return Usage(ticks * _TICK_S, (private + shared) * _PAGE_BYTES)


def _tree(root_pid: int) -> Iterator[tuple[int, int]]:
    """Give the processes of the tree with the clock ticks that each has used."""
    found = dict(_all())
    members = {root_pid}
    # Parents have lower process ids but for a wrap, so one more pass is rarely needed.
    while True:
        children = {pid for pid, (parent, _) in found.items() if parent in members} - members
        if not children:
            break
        members |= children
    yield from ((pid, found[pid][1]) for pid in members if pid in found)


def _all() -> Iterator[tuple[int, tuple[int, int]]]:
    """Give each process with its parent and its clock ticks."""
    for folder in _PROC.glob("[0-9]*"):
        try:
            fields = (folder / "stat").read_text().rpartition(")")[2].split()
        except OSError:
            continue
        # proc(5): after the name come state, ppid, …; utime to cstime are fields 14 to 17 of all.
        yield int(folder.name), (int(fields[1]), sum(map(int, fields[11:15])))
