"""The errors of the platform on one machine, each one line with the remedy.

StackError
├── AlreadyUp      a platform runs in this folder already
├── NotUp          no platform runs in this folder
├── StillUp        a platform does not end
├── NoRoom         the disk is nearly full
├── PrefectRefused Prefect's server does not do what was asked
└── StepFailed     a program that prepares something failed
"""

from pathlib import Path

from cli.stack.errors import StackError


class AlreadyUp(StackError):
    """A platform runs in this folder already."""

    def __init__(self, folder: Path) -> None:
        super().__init__(
            f"a platform runs in {folder} already: `nightshift status` shows it, `nightshift down` "
            "ends it"
        )


class NotUp(StackError):
    """No platform runs in this folder."""

    def __init__(self, folder: Path) -> None:
        super().__init__(f"nothing runs in {folder}: start it with `nightshift up`")


class StillUp(StackError):
    """A platform does not end."""

    def __init__(self, pid: int, log: Path) -> None:
        super().__init__(
            f"`nightshift up`, process {pid}, was told to end and has not yet: wait, or look at "
            f"{log}; `kill -9 {pid}` ends it, and the next `up` cleans up"
        )


class NoRoom(StackError):
    """The disk is nearly full."""

    def __init__(self, folder: Path, *, free_bytes: int, needed_bytes: int) -> None:
        super().__init__(
            f"{folder} has {free_bytes / 1e9:.1f} GB free, the platform needs "
            f"{needed_bytes / 1e9:.0f} GB: free some space"
        )


class PrefectRefused(StackError):
    """Prefect's server does not do what was asked."""

    def __init__(self, what: str, why: str) -> None:
        super().__init__(f"Prefect's server refused {what}: {' '.join(why.split())}")


class StepFailed(StackError):
    """A program that prepares something failed."""

    def __init__(self, step: str, log: Path, last_lines: str) -> None:
        super().__init__(f"{step} failed; its log {log} says: {last_lines}")
