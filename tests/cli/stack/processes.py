"""Look at processes and shared memory from outside."""

import os
import time
from collections.abc import Callable
from pathlib import Path

_SHARED_MEMORY = Path("/dev/shm")


def runs(pid: int) -> bool:
    """Say whether `pid` is a process that is not a zombie."""
    try:
        status = Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return False
    return status.rpartition(")")[2].split()[0] != "Z"


def group_of(pid: int) -> set[int]:
    """Return the processes of the group that `pid` leads."""
    members = set()
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            if os.getpgid(int(folder.name)) == pid and runs(int(folder.name)):
                members.add(int(folder.name))
        except ProcessLookupError:
            continue
    return members


def regions(prefix: str) -> list[str]:
    """Return the names in /dev/shm that begin with `prefix`."""
    return [path.name for path in _SHARED_MEMORY.glob(f"{prefix}*")]


def eventually(condition: Callable[[], bool], *, within_s: float) -> bool:
    """Wait until `condition()`, at most `within_s`; return what it says in the end."""
    deadline = time.monotonic() + within_s
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True
