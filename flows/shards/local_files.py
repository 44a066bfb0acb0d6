"""Walk, flush and lock local files, and say what goes wrong in a store's errors."""

import errno
import fcntl
import os
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from flows.shards.errors import (
    NoSuchObject,
    ShardError,
    StoreDenied,
    StoreError,
    StoreUnavailable,
)

_DENIED = frozenset({errno.EACCES, errno.EPERM, errno.EROFS})


class LinkLoop(StoreError):
    """A symbolic link leads back to a folder above it."""

    def __init__(self, uri: str) -> None:
        super().__init__(
            f"link loop: {uri} is a symbolic link that leads back to itself or to a folder above "
            "it: remove that link"
        )
        self.uri = uri
        """The link, or the path that cannot be followed."""


class NotAFile(StoreError):
    """A name of a dataset has no file behind it: its rows would be left out without a word."""

    def __init__(self, uri: str, found: str) -> None:
        super().__init__(
            f"not a file: {uri} is {found}: put a file in its place, or begin its name with '_' so "
            "that it is skipped"
        )
        self.uri = uri
        """The name."""


def walk(
    top: Path, root: Path, *, wanted: Callable[[str], bool], strict: bool
) -> Iterator[tuple[str, os.stat_result]]:
    """Yield every file below `top` with its path below `root`, which `wanted` is asked for.

    `wanted` is asked for folders too; of what it does not want nothing is looked at, not even what
    it is. Links are followed. Files that vanish meanwhile are left out, and so are links to nowhere
    and pipes unless `strict`. Raises `LinkLoop` for a link that leads back, `NotAFile`.
    """
    start = "" if top == root else f"{top.relative_to(root).as_posix()}/"
    folders: list[tuple[Path, str, frozenset[tuple[int, int]]]] = [(top, start, frozenset())]
    while folders:
        folder, before, above = folders.pop()
        if not folder.is_dir():
            continue
        status = folder.stat()
        here = (status.st_dev, status.st_ino)
        if here in above:
            raise LinkLoop(str(folder))
        with os.scandir(folder) as entries:
            for entry in entries:
                key = before + entry.name
                if not wanted(key):
                    continue
                found = _status(entry, strict)
                if found is None:
                    continue
                if stat.S_ISDIR(found.st_mode):
                    folders.append((Path(entry.path), f"{key}/", above | {here}))
                else:
                    yield key, found


def _status(entry: os.DirEntry[str], strict: bool) -> os.stat_result | None:
    """Describe a file or a folder; None for anything else, unless `strict` makes it `NotAFile`."""
    try:
        status = entry.stat()
    except (FileNotFoundError, NotADirectoryError):
        path = Path(entry.path)
        # Looked at again: a name that has vanished meanwhile is no link either.
        if strict and path.is_symlink():
            raise NotAFile(entry.path, f"a link to {path.readlink()}, which is not there") from None
        return None
    if stat.S_ISREG(status.st_mode) or stat.S_ISDIR(status.st_mode):
        return status
    if strict:
        raise NotAFile(entry.path, "a pipe, a socket or a device")
    return None


def flush(path: Path) -> None:
    """Make a file's bytes, or a folder's names, survive a power cut."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextmanager
def exclusive(folder: Path) -> Iterator[None]:
    """Hold the folder's lock, so that comparing and replacing are one step among our processes."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


@contextmanager
def translated(uri: str) -> Iterator[None]:
    """Say what the operating system says in the store's errors."""
    try:
        yield
    except ShardError:
        raise
    except (FileNotFoundError, IsADirectoryError) as error:
        raise NoSuchObject(uri) from error
    except OSError as error:
        if error.errno == errno.ELOOP:
            raise LinkLoop(str(error.filename or uri)) from error
        detail = error.strerror or str(error)
        if error.errno in _DENIED or isinstance(error, NotADirectoryError | FileExistsError):
            raise StoreDenied(uri, detail) from error
        raise StoreUnavailable(uri, detail) from error
