"""Give each run a scratch folder that no other run takes away."""

import fcntl
import os
import shutil
import tempfile
import threading
import uuid
import weakref
from contextlib import suppress
from pathlib import Path

_LOCK = ".lock"
_TRIES = 100
"""Claims of a new folder; each fails only when `clear` of another run comes in between."""


class ScratchFolder:
    """A folder of one's own below `top`, which others may share.

    Beside it lies a file that is locked for as long as this object lives. The kernel ends the lock
    with the process, also when it is killed, so `clear` tells the folders of dead runs from those
    in use. Where files cannot be locked, the folders of dead runs stay. Safe to use from threads.
    """

    def __init__(self, top: Path) -> None:
        self._top = top
        self._guard = threading.Lock()
        self._own: Path | None = None
        self._unlock: weakref.finalize[[int], ScratchFolder] | None = None

    def path(self) -> Path:
        """Return the folder, made when it is not there. Raises `OSError`."""
        with self._guard:
            if self._own is None:
                self._own, descriptor = _claim(self._top)
                self._unlock = weakref.finalize(self, os.close, descriptor)
            return self._own

    def clear(self) -> None:
        """Remove the folder with those of dead runs, then `top` when nothing is left in it.

        Fails open: what cannot be removed stays for the next run.
        """
        with self._guard:
            if self._own is not None and self._unlock is not None:
                with suppress(OSError):
                    _remove(self._own)
                self._unlock()
                self._own = self._unlock = None
        with suppress(OSError):
            for lock in [path for path in self._top.iterdir() if path.suffix == _LOCK]:
                with suppress(OSError):
                    _remove_dead(lock)
            self._top.rmdir()


def temporary_scratch() -> Path:
    """Return where to build what is put into a store that no folder is near to.

    Each user has a place of its own: nobody could write beside another's folders.
    """
    return Path(tempfile.gettempdir()) / f"nightshift-{os.getuid()}"


class ScratchFolders:
    """The folders of one store, at most one below each place. Safe to use from threads."""

    def __init__(self, usual: Path) -> None:
        self._usual = usual
        self._folders = {usual: ScratchFolder(usual)}

    def path(self, top: Path | None = None) -> Path:
        """Return the folder below `top`, without it below the usual place. Raises `OSError`."""
        return self._folders.setdefault(
            top or self._usual, ScratchFolder(top or self._usual)
        ).path()

    def clear(self) -> None:
        """Remove them all, with those of dead runs beside them. Fails open."""
        for folder in tuple(self._folders.values()):
            folder.clear()


def _claim(top: Path) -> tuple[Path, int]:
    """Make a new folder; returns it with the descriptor that holds its lock."""
    for _ in range(_TRIES):
        folder = top / uuid.uuid4().hex
        # Each time: another run may remove what is empty, `top` and what lies above it.
        with suppress(FileExistsError):
            top.mkdir(parents=True)
        try:
            descriptor = os.open(_lock_of(folder), os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o666)
        except FileNotFoundError:
            continue  # `top` was empty, and another run removed it
        if _hold(descriptor) and _lock_of(folder).exists():
            folder.mkdir()
            return folder, descriptor
        os.close(descriptor)  # another run found the file before it was locked
    raise FileNotFoundError(f"{top} is removed again and again")


def _remove_dead(lock: Path) -> None:
    """Remove the folder of `lock` unless its run lives. Raises `OSError`."""
    descriptor = os.open(lock, os.O_RDWR)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        _remove(lock.with_suffix(""))
    finally:
        os.close(descriptor)


def _remove(folder: Path) -> None:
    # The lock's file goes last: a folder without one would never be looked at again.
    shutil.rmtree(folder, ignore_errors=True)
    if not folder.exists():
        _lock_of(folder).unlink(missing_ok=True)


def _hold(descriptor: int) -> bool:
    """Lock a file; False when another run holds it. True where nobody can lock files."""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:
        return True
    return True


def _lock_of(folder: Path) -> Path:
    return folder.with_suffix(_LOCK)
