"""Keep objects as files below a local folder."""

import errno
import os
import shutil
import uuid
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pyarrow as pa

from flows.shards.errors import InputChanged, NoSuchObject
from flows.shards.local_files import exclusive, flush, translated, walk
from flows.shards.object_store import ObjectInfo, StoreProbe, Tail, probe_store
from flows.shards.scratch import ScratchFolders
from flows.shards.visibility import is_hidden

SCRATCH_FOLDER = ".nightshift-scratch"
"""Hidden folder below the root where objects are built; on the same file system, so that
publishing one is a link. Nothing in it is an object."""

_NO_HARD_LINKS = frozenset(
    {errno.EPERM, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK}
)


class LocalStore:
    """Objects as files below `root`, published by hard link.

    A file is written under a scratch name, flushed to the disk, then linked to its own name: the
    link fails when the name is taken, so readers never see half an object and two writers never
    both win. On a file system without hard links the file is renamed instead, which overwrites:
    `probe` reports such a folder as one without conditional writes.

    An ETag is the time of last change in nanoseconds with the size. Of `inputs` it is also the time
    at which anything about the file changed, which nobody can set: content that was written over
    with the old size and time is another. A copy, a restored backup, a new owner or hard link make
    another input, then. The number of the file is not in it: several network file systems give a
    new one after each mount.
    """

    def __init__(
        self,
        root: Path,
        *,
        inputs: bool = False,
        link: Callable[[Path, Path], None] = os.link,
    ) -> None:
        # Not resolved: a symbolic link keeps the name by which the user knows it.
        self.root = Path(os.path.abspath(root.expanduser()))  # noqa: PTH100 - resolve() follows links
        """The folder; made at the first write."""
        self._inputs = inputs
        self._link = link
        self._scratches = ScratchFolders(self.root / SCRATCH_FOLDER)
        self._made: set[Path] = set()

    @property
    def uri(self) -> str:
        """The root's path."""
        return str(self.root)

    def root_exists(self) -> bool:
        """Whether the folder is there."""
        return self.root.is_dir()

    def list(self, prefix: str = "") -> list[ObjectInfo]:
        """List the files whose path below the root begins with `prefix`, by path.

        Of `inputs` without what readers of a dataset skip; raises `NotAFile` for a name with no
        file behind it, which others leave out. Nothing else is looked at: what lies beside it may
        be anything.
        """

        def wanted(key: str) -> bool:
            """Whether a file, or what lies in a folder, may be listed."""
            if not key.startswith(prefix) or key.rpartition("/")[2] == SCRATCH_FOLDER:
                return False
            return not (self._inputs and is_hidden(key))

        top = self._path(prefix.rpartition("/")[0])
        with translated(self.uri):
            walked = walk(top, self.root, wanted=wanted, strict=self._inputs)
            found = [self._info(key, status) for key, status in walked]
        return sorted(found, key=lambda info: info.key)

    def stat(self, key: str) -> ObjectInfo | None:
        """Describe a file; None when it is not there or is a folder."""
        path = self._path(key)
        try:
            with translated(str(path)):
                return self._info(key, path.stat()) if path.is_file() else None
        except NoSuchObject:
            return None

    def open(self, key: str, etag: str | None = None) -> Any:
        """Open a file for random reads; see the port."""
        try:
            with translated(str(self._path(key))):
                source = pa.OSFile(str(self._path(key)), mode="rb")
        except NoSuchObject as error:
            if etag is None:
                raise
            raise InputChanged(key, planned=etag, found=None) from error
        # Looked at after the opening, so that a file put there in between is told apart.
        now = self.stat(key)
        if etag is not None and (now is None or now.etag != etag):
            source.close()
            raise InputChanged(key, planned=etag, found=now.etag if now else None)
        return source

    def read(self, key: str) -> bytes:
        """Return a file's bytes; raises `NoSuchObject`."""
        path = self._path(key)
        with translated(str(path)):
            return path.read_bytes()

    def read_tail(self, key: str, max_bytes: int) -> Tail:
        """Return at most the last `max_bytes` bytes of a file; raises `NoSuchObject`."""
        path = self._path(key)
        with translated(str(path)), path.open("rb", buffering=0) as source:
            status = os.fstat(source.fileno())
            source.seek(max(0, status.st_size - max_bytes))
            return Tail(source.read(), self._info(key, status))

    def put_if_absent(self, key: str, source: bytes | Path) -> bool:
        """Create a file whole; False when the name is taken."""
        target = self._path(key)
        with translated(str(target)):
            self._make(target.parent)
            if isinstance(source, Path) and source.stat().st_dev == target.parent.stat().st_dev:
                flush(source)
                return self._publish(source, target, keep=True)
            scratch = self._scratch(source)
            try:
                return self._publish(scratch, target, keep=False)
            finally:
                scratch.unlink(missing_ok=True)

    def _publish(self, scratch: Path, target: Path, *, keep: bool) -> bool:
        try:
            self._link(scratch, target)
        except FileExistsError:
            return False
        except OSError as error:
            if error.errno not in _NO_HARD_LINKS:
                raise
            self._rename(scratch, target, keep=keep)
        flush(target.parent)
        return True

    def _rename(self, scratch: Path, target: Path, *, keep: bool) -> None:
        """Publish where there are no hard links: whole, yet over whatever is there."""
        (self._scratch(scratch) if keep else scratch).replace(target)

    def replace(self, key: str, data: bytes, *, if_etag: str | None) -> bool:
        """Overwrite a file whole; False when `if_etag` is given and is not its ETag."""
        target = self._path(key)
        with translated(str(target)):
            self._make(target.parent)
            scratch = self._scratch(data)
            try:
                with exclusive(target.parent):
                    now = self.stat(key)
                    if if_etag is not None and (now is None or now.etag != if_etag):
                        return False
                    scratch.replace(target)
                    flush(target.parent)
                    return True
            finally:
                scratch.unlink(missing_ok=True)

    def delete(self, key: str) -> None:
        """Remove a file; nothing happens when it is not there."""
        path = self._path(key)
        with translated(str(path)):
            path.unlink(missing_ok=True)

    def probe(self) -> StoreProbe:
        """Find out, by writing, whether the folder can be written and links are refused."""
        with suppress(OSError):  # a folder that may not be looked into
            for place in (self.root, *self.root.parents):
                if place.exists() and not place.is_dir():
                    return StoreProbe(False, False, f"{place} is a file, not a folder")
        return probe_store(self)

    def scratch_folder(self, top: Path | None = None) -> Path:
        """A folder of this store's own, without `top` where publishing from it is a link."""
        with translated(str(top or self.root / SCRATCH_FOLDER)):
            self._make(self.root)
            return self._scratches.path(top)

    def clear_scratch(self) -> None:
        """Remove such folders with those of dead writers; writers that live keep theirs.

        The root and other folders that this store made go too while nothing is in them.
        """
        self._scratches.clear()
        for folder in sorted(self._made, key=lambda each: len(each.parts), reverse=True):
            with suppress(OSError):
                folder.rmdir()

    def _make(self, folder: Path) -> None:
        """Make a folder and those above it; remembers which were missing."""
        if not folder.is_dir():
            self._made |= {each for each in (folder, *folder.parents) if not each.exists()}
            folder.mkdir(parents=True, exist_ok=True)

    def _scratch(self, source: bytes | Path) -> Path:
        """Copy `source` to a new scratch file and flush it to the disk."""
        scratch = self.scratch_folder() / uuid.uuid4().hex
        with scratch.open("xb") as target:
            if isinstance(source, bytes):
                target.write(source)
            else:
                with source.open("rb") as data:
                    shutil.copyfileobj(data, target, 2**20)
            target.flush()
            os.fsync(target.fileno())
        return scratch

    def _path(self, key: str) -> Path:
        steps = key.split("/")
        if key.startswith("/") or ".." in steps or "\0" in key:
            raise ValueError(f"key {key!r} would leave {self.root}")
        return self.root.joinpath(*steps)

    def _info(self, key: str, status: os.stat_result) -> ObjectInfo:
        changed = f"-{status.st_ctime_ns:x}" if self._inputs else ""
        return ObjectInfo(
            key, status.st_size, f"{status.st_mtime_ns:x}-{status.st_size:x}{changed}"
        )
