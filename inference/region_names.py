"""Name shared memory after the process that made it.

`nightshift-<pid>-` is followed by 32 hexadecimal digits, 8 each: of the boot's id, the inode of
the PID namespace, the process's start in clock ticks since the boot, random. The first two say
where the PID counts, the third tells a process from a later one that was given its PID.
"""

import os
import re
import secrets
from pathlib import Path

PREFIX = "nightshift-"
_NAME = re.compile(rf"{PREFIX}([1-9][0-9]*)-([0-9a-f]{{16}})([0-9a-f]{{8}})[0-9a-f]{{8}}")
_PROC = Path("/proc")
_UNKNOWN = "0" * 8
_STATE, _START = 0, 19
"""Fields of `/proc/<pid>/stat` after the command's closing parenthesis: see proc(5), which counts
them as 3 and 22."""
_DEAD = {"Z", "X"}


def new_name() -> str:
    """Return a name that no other buffer has, of this or any other process."""
    pid = os.getpid()
    start = _start(pid) or _UNKNOWN
    return f"{PREFIX}{pid}-{_place() or _UNKNOWN * 2}{start}{secrets.token_hex(4)}"


def is_orphan(name: str) -> bool:
    """Whether the process that made it ran on this host, in this PID namespace, and is gone.

    False for every name that was not made here, and wherever it cannot be told.
    """
    made = _NAME.fullmatch(name)
    if made is None or made[2] != _place() or made[3] == _UNKNOWN:
        return False
    pid = int(made[1])
    try:
        os.kill(pid, 0)  # only asks: unlike /proc, it also sees what hidepid hides
    except ProcessLookupError:
        return True
    except (PermissionError, OverflowError):
        pass
    start = _start(pid)
    return start is not None and start != made[3]


def _place() -> str | None:
    """Return 16 hexadecimal digits for boot and PID namespace; None if /proc does not tell."""
    try:
        boot = (_PROC / "sys/kernel/random/boot_id").read_text()[:8]
        namespace = (_PROC / "self/ns/pid").stat().st_ino & 0xFFFFFFFF
        # The /proc of another namespace would tell of other processes.
        if (_PROC / "self").readlink().name != str(os.getpid()):
            return None
    except OSError:
        return None
    return f"{boot}{namespace:08x}"


def _start(pid: int) -> str | None:
    """Return the start as 8 hexadecimal digits, empty if it has ended; None if it is hidden."""
    try:
        fields = (_PROC / str(pid) / "stat").read_text().rpartition(")")[2].split()
    except OSError:
        return None
    if fields[_STATE] in _DEAD:
        return ""
    return f"{int(fields[_START]) & 0xFFFFFFFF:08x}"
