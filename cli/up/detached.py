"""Start a platform that outlives its terminal, stop one from another terminal."""

import signal
import subprocess
import sys
import time

from cli.stack.errors import ServerEnded
from cli.up import record
from cli.up.errors import NotUp, StillUp
from cli.up.folder import UpFolder
from cli.up.identity import await_end, end_marked
from cli.up.view import leftovers_line

LAST_WORDS = "Ctrl-C stops everything"
"""What `nightshift up` says when all is there."""
_LOOK_S = 0.1
_GRACE_S = 5.0
_STOP_DEADLINE_S = 180.0
"""Longest wait for the end, many times what it takes without runs to wait for."""


def run_detached(folder: UpFolder) -> str:
    """Have the same command line run in a session of its own; return what it says when ready.

    Raises `ServerEnded` with its last words when it ends instead.
    """
    words = [word for word in sys.argv[1:] if word != "--detach"]
    log = folder.log("up")
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("wb") as written:
        process = subprocess.Popen(
            [sys.executable, "-m", "cli.main", *words],
            stdin=subprocess.DEVNULL,
            stdout=written,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    try:
        while (status := process.poll()) is None:
            if LAST_WORDS in log.read_text():
                break
            time.sleep(_LOOK_S)
    except BaseException:
        process.terminate()
        raise
    said = log.read_text().replace(LAST_WORDS, "`nightshift down` stops everything").strip()
    if status is not None:
        raise ServerEnded("nightshift up", status, log, said.splitlines()[-1] if said else "")
    return said


def stop(folder: UpFolder) -> str:
    """Have the platform in the folder stopped; return what was done.

    What a killed `up` left is ended as well. Raises `NotUp` or `StillUp`.
    """
    noted = record.read(folder.record)
    while folder.is_taken() and noted is None:  # it has only just begun
        time.sleep(_LOOK_S)
        noted = record.read(folder.record)
    if folder.is_taken() and noted is not None:
        noted.supervisor.signal(signal.SIGTERM)
        if not await_end([noted.supervisor], timeout_s=_STOP_DEADLINE_S):
            raise StillUp(noted.supervisor.pid, folder.log("up"))
        return "stopped"
    secrets = folder.known_secrets()
    ended = end_marked(secrets.mark, grace_s=_GRACE_S) if secrets else 0
    if not ended:
        raise NotUp(folder.path)
    folder.record.unlink(missing_ok=True)
    return leftovers_line(ended)
