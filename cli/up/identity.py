"""Tell processes apart by more than their ids, which are given again.

A process is known by its id with the moment it began; all that an `up` has started, and what
those started, is known by a random mark in its environment. Nothing is ended by its name. Linux.
"""

import os
import select
import signal
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

MARK = "_NIGHTSHIFT_UP"
"""The variable that holds the mark; inherited by everything that is started."""
_PROC = Path("/proc")


@dataclass(frozen=True, slots=True)
class Identity:
    """One process, never another one that got its id later."""

    pid: int
    """Its id."""
    began: int
    """When it began, in clock ticks since the machine did."""

    @classmethod
    def of(cls, pid: int) -> "Identity | None":
        """Return who has that id now; None when nobody has, or who has it is dead."""
        try:
            # The program's name, in brackets, may itself hold brackets and spaces.
            fields = (_PROC / str(pid) / "stat").read_text().rpartition(")")[2].split()
        except (FileNotFoundError, ProcessLookupError):
            return None
        return None if fields[0] in "ZX" else cls(pid, int(fields[19]))

    def alive(self) -> bool:
        """Say whether it runs still."""
        return Identity.of(self.pid) == self

    def signal(self, number: int) -> bool:
        """Send it a signal; False when it has ended."""
        try:
            descriptor = os.pidfd_open(self.pid)
        except ProcessLookupError:
            return False
        try:
            # Whoever has the id now keeps it as long as the descriptor is open and it runs.
            if not self.alive():
                return False
            signal.pidfd_send_signal(descriptor, number)
        except ProcessLookupError:
            return False
        finally:
            os.close(descriptor)
        return True


@contextmanager
def marking(mark: str) -> Iterator[None]:
    """Have whatever this process starts inside the block carry the mark."""
    os.environ[MARK] = mark
    try:
        yield
    finally:
        del os.environ[MARK]


def marked(mark: str) -> list[Identity]:
    """Return every process that was started with the mark."""
    wanted = f"{MARK}={mark}".encode()
    found = []
    for folder in _PROC.iterdir():
        if not folder.name.isdigit():
            continue
        with suppress(OSError):  # it ended meanwhile, or is somebody else's
            if wanted in (folder / "environ").read_bytes().split(b"\0"):
                found.append(Identity.of(int(folder.name)))
    return [each for each in found if each is not None]


def end_marked(mark: str, *, grace_s: float) -> int:
    """End every process with the mark: TERM, then KILL after the grace; return how many.

    What they start meanwhile has the mark too, so that looking again finds it.
    """
    told: set[Identity] = set()
    deadline = time.monotonic() + grace_s
    while found := marked(mark):
        late = time.monotonic() > deadline
        for each in found:
            if late or each not in told:
                each.signal(signal.SIGKILL if late else signal.SIGTERM)
        told.update(found)
        await_end(found, timeout_s=0.2)
    return len(told)


def await_end(processes: list[Identity], *, timeout_s: float) -> bool:
    """Wait until all have ended; False when the time was over before."""
    deadline = time.monotonic() + timeout_s
    with ExitStack() as opened:
        for each in processes:
            with suppress(ProcessLookupError):
                descriptor = os.pidfd_open(each.pid)
                opened.callback(os.close, descriptor)
                while each.alive():
                    left = deadline - time.monotonic()
                    if left <= 0:
                        return False
                    select.select([descriptor], [], [], left)
    return True
