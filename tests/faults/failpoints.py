"""End, stop or fail a process at a named operation on its object store.

A fail-point is named `WHEN:OPERATION:OBJECT`:

- WHEN: `before` or `after` the store has done it
- OPERATION: `put` (put_if_absent), `replace`, `delete`, `stat`, `read` (read, read_tail, open),
  `list`
- OBJECT: `part`, `quarantine`, `manifest`, `success`, `job`, `other`; of a list, its prefix's
"""

import os
import re
import signal
import threading
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from flows.shards.object_store import ObjectInfo, ObjectStore, StoreProbe, Tail

_T = TypeVar("_T")
_OBJECTS = (
    ("part", re.compile(r"part-")),
    ("quarantine", re.compile(r"_quarantine/")),
    ("manifest", re.compile(r"_manifest\.json$")),
    ("success", re.compile(r"_SUCCESS$")),
    ("job", re.compile(r"_job-")),
)
_NAME = re.compile(
    r"(before|after):(put|replace|delete|stat|read|list)"
    r":(part|quarantine|manifest|success|job|other)"
)
_WORD = re.compile(r"(?P<name>[a-z:]+)=(?P<action>kill|stop|fail)(@(?P<skip>\d+))?")


class InjectedFailure(Exception):
    """What `fail` raises: nothing in the product expects it."""


def kill() -> None:
    """End this process as a power cut would."""
    os.kill(os.getpid(), signal.SIGKILL)


def stop() -> None:
    """Stop this process until someone sends SIGCONT."""
    os.kill(os.getpid(), signal.SIGSTOP)


def fail() -> None:
    """Raise what nothing expects."""
    raise InjectedFailure("injected by a fail-point")


_ACTIONS = {"kill": kill, "stop": stop, "fail": fail}


@dataclass(frozen=True, slots=True)
class FailPoint:
    """One thing that happens, once, at a named operation."""

    name: str
    """`WHEN:OPERATION:OBJECT`."""
    action: Callable[[], object]
    """What happens: `kill`, `stop`, `fail`, or a test's own."""
    skip: int = 0
    """Occurrences that pass unharmed before."""

    def __post_init__(self) -> None:
        if not _NAME.fullmatch(self.name):
            raise ValueError(f"no such fail-point: {self.name}: name it {_NAME.pattern}")

    @classmethod
    def parse(cls, words: str) -> "FailPoint":
        """Read `before:put:part=kill`, or with `@2` behind it to let two pass first."""
        found = _WORD.fullmatch(words)
        if found is None:
            raise ValueError(f"no such fail-point: {words}: write NAME=kill|stop|fail[@SKIP]")
        return cls(found["name"], _ACTIONS[found["action"]], int(found["skip"] or 0))


class FailPointStore:
    """Another store with fail-points; safe to use from several threads.

    `seen` counts every operation by `OPERATION:OBJECT`. What a probe does is not looked at.
    """

    def __init__(self, store: ObjectStore, points: Iterable[FailPoint] = ()) -> None:
        self._store = store
        self._points = list(points)
        self._reached: Counter[str] = Counter()
        self._lock = threading.Lock()
        self.seen: Counter[str] = Counter()
        """Operations so far, by `OPERATION:OBJECT`."""

    @property
    def uri(self) -> str:
        return self._store.uri

    def root_exists(self) -> bool:
        return self._store.root_exists()

    def list(self, prefix: str = "") -> list[ObjectInfo]:
        return self._at("list", prefix, lambda: self._store.list(prefix))

    def stat(self, key: str) -> ObjectInfo | None:
        return self._at("stat", key, lambda: self._store.stat(key))

    def open(self, key: str, etag: str | None = None) -> Any:
        return self._at("read", key, lambda: self._store.open(key, etag))

    def read(self, key: str) -> bytes:
        return self._at("read", key, lambda: self._store.read(key))

    def read_tail(self, key: str, max_bytes: int) -> Tail:
        return self._at("read", key, lambda: self._store.read_tail(key, max_bytes))

    def put_if_absent(self, key: str, source: bytes | Path) -> bool:
        return self._at("put", key, lambda: self._store.put_if_absent(key, source))

    def replace(self, key: str, data: bytes, *, if_etag: str | None) -> bool:
        return self._at("replace", key, lambda: self._store.replace(key, data, if_etag=if_etag))

    def delete(self, key: str) -> None:
        self._at("delete", key, lambda: self._store.delete(key))

    def scratch_folder(self, top: Path | None = None) -> Path:
        return self._store.scratch_folder(top)

    def clear_scratch(self) -> None:
        self._store.clear_scratch()

    def probe(self) -> StoreProbe:
        return self._store.probe()

    def _at(self, operation: str, key: str, do: Callable[[], _T]) -> _T:
        name = f"{operation}:{object_of(key)}"
        with self._lock:
            self.seen[name] += 1
        self._reach(f"before:{name}")
        done = do()
        self._reach(f"after:{name}")
        return done

    def _reach(self, name: str) -> None:
        """Do what the points of this name ask for; each does so once."""
        with self._lock:
            passed = self._reached[name]
            self._reached[name] += 1
            due = [point for point in self._points if (point.name, point.skip) == (name, passed)]
        for point in due:
            point.action()


def object_of(key: str) -> str:
    """Tell what kind of object has such a key."""
    return next((kind for kind, name in _OBJECTS if name.match(key)), "other")
