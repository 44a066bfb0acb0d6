"""Walk, flush and lock local files, and say what goes wrong in a store's errors."""

import errno
import fcntl
import os
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


def walk(
    top: Path, root: Path, *, wanted: Callable[[str], bool]
) -> Iterator[tuple[str, os.stat_result]]:
    """Yield every file below `top` with its path below `root`, which `wanted` is asked for.

    `wanted` is asked for folders too; of what it does not want nothing is looked at, not even what
    it is. A file that vanishes meanwhile is left out too. Links are followed. Raises `LinkLoop`
    for one that leads back.
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
                if entry.is_dir():
                    folders.append((Path(entry.path), f"{key}/", above | {here}))
                    continue
                try:
                    yield key, entry.stat()
                except FileNotFoundError:
                    continue


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
