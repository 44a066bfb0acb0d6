"""Become a user without rights, then a server that refuses to be root: `as_nobody.py COMMAND…`.

Linux forgets what kills a child with its parent when the child changes its user, so it is said
again. Standard library only.
"""

import ctypes
import os
import signal
import sys

NOBODY = 65534
_PR_SET_PDEATHSIG = 1


def main(command: list[str]) -> None:
    """Replace this process."""
    parent = os.getppid()
    os.chdir("/")  # where it was started, nobody may not be allowed to look
    os.setgroups([])
    os.setgid(NOBODY)
    os.setuid(NOBODY)
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() == parent:
        os.execv(command[0], command)


if __name__ == "__main__":
    main(sys.argv[1:])
