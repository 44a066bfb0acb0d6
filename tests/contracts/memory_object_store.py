"""Twin of the object stores in memory."""

import io
import threading
from pathlib import Path

from flows.shards.errors import InputChanged, NoSuchObject
from flows.shards.object_store import ObjectInfo, StoreProbe, Tail, probe_store
from flows.shards.scratch import ScratchFolders, temporary_scratch


class MemoryObjectStore:
    """Objects in a dictionary; `careless` ones ignore the condition of a conditional write."""

    def __init__(self, uri: str = "memory://store", *, careless: bool = False) -> None:
        self._uri = uri
        self._careless = careless
        self._objects: dict[str, tuple[bytes, str]] = {}
        self._writes = 0
        self._lock = threading.Lock()
        self._scratches = ScratchFolders(temporary_scratch())

    @property
    def uri(self) -> str:
        return self._uri

    def root_exists(self) -> bool:
        return True

    def list(self, prefix: str = "") -> list[ObjectInfo]:
        with self._lock:
            return [
                ObjectInfo(key, len(data), etag)
                for key, (data, etag) in sorted(self._objects.items())
                if key.startswith(prefix)
            ]

    def stat(self, key: str) -> ObjectInfo | None:
        found = self._objects.get(key)
        return ObjectInfo(key, len(found[0]), found[1]) if found else None

    def open(self, key: str, etag: str | None = None) -> io.BytesIO:
        found = self.stat(key)
        if etag is not None and (found is None or found.etag != etag):
            raise InputChanged(key, planned=etag, found=found.etag if found else None)
        return io.BytesIO(self.read(key))

    def read(self, key: str) -> bytes:
        return self.read_tail(key, 2**40).data

    def read_tail(self, key: str, max_bytes: int) -> Tail:
        with self._lock:
            if key not in self._objects:
                raise NoSuchObject(f"{self._uri}/{key}")
            data, etag = self._objects[key]
        return Tail(data[max(0, len(data) - max_bytes) :], ObjectInfo(key, len(data), etag))

    def put_if_absent(self, key: str, source: bytes | Path) -> bool:
        data = source.read_bytes() if isinstance(source, Path) else source
        with self._lock:
            if key in self._objects and not self._careless:
                return False
            self._store(key, data)
        return True

    def replace(self, key: str, data: bytes, *, if_etag: str | None) -> bool:
        with self._lock:
            found = self._objects.get(key)
            unlike = if_etag is not None and (found is None or found[1] != if_etag)
            if unlike and not self._careless:
                return False
            self._store(key, data)
        return True

    def delete(self, key: str) -> None:
        with self._lock:
            self._objects.pop(key, None)

    def scratch_folder(self, top: Path | None = None) -> Path:
        return self._scratches.path(top)

    def clear_scratch(self) -> None:
        self._scratches.clear()

    def probe(self) -> StoreProbe:
        return probe_store(self)

    def _store(self, key: str, data: bytes) -> None:
        self._writes += 1
        self._objects[key] = (data, f"etag-{self._writes}")
