"""Fail-points do what they say, where they say, once."""

import multiprocessing
import os
import signal
from pathlib import Path

import pytest

from tests.contracts.memory_object_store import MemoryObjectStore
from tests.faults.failpoints import (
    FailPoint,
    FailPointStore,
    InjectedFailure,
    fail,
    kill,
    object_of,
    stop,
)


@pytest.mark.parametrize(
    ("key", "kind"),
    [
        ("part-00001-0123456789ab.parquet", "part"),
        ("_quarantine/part-00001-0123456789ab-1.parquet", "quarantine"),
        ("_manifest.json", "manifest"),
        ("_SUCCESS", "success"),
        ("_job-0123456789ab.json", "job"),
        ("_probe-1", "other"),
        ("", "other"),
    ],
)
def test_kinds_of_objects(key: str, kind: str) -> None:
    """Every name that Nightshift writes has its kind."""
    assert object_of(key) == kind


def test_words() -> None:
    """A fail-point can be told to another process in words."""
    assert FailPoint.parse("before:put:part=kill") == FailPoint("before:put:part", kill)
    assert FailPoint.parse("after:replace:manifest=stop@2") == FailPoint(
        "after:replace:manifest", stop, 2
    )
    for wrong in ("before:put:part", "before:put:part=explode", "during:put:part=kill", ""):
        with pytest.raises(ValueError, match="no such fail-point"):
            FailPoint.parse(wrong)


@pytest.mark.parametrize(
    ("when", "left"), [("before", [b"1", b"2"]), ("after", [b"1", b"2", b"3"])]
)
def test_fails_once_before_or_after(when: str, left: list[bytes]) -> None:
    """The third put of a part fails, before it is carried out or after; the fourth works."""
    inner = MemoryObjectStore()
    store = FailPointStore(inner, [FailPoint(f"{when}:put:part", fail, skip=2)])
    store.put_if_absent("_manifest.json", b"0")
    store.put_if_absent("part-1", b"1")
    store.put_if_absent("part-2", b"2")
    with pytest.raises(InjectedFailure):
        store.put_if_absent("part-3", b"3")
    assert [inner.read(info.key) for info in inner.list("part-")] == left
    assert store.put_if_absent("part-4", b"4")
    assert store.seen == {"put:part": 4, "put:manifest": 1}


def test_every_operation_has_a_name() -> None:
    """Each method of the port passes its fail-points."""
    store = FailPointStore(MemoryObjectStore())
    store.put_if_absent("part-1", b"1")
    store.replace("part-1", b"2", if_etag=None)
    store.stat("part-1")
    store.open("part-1")
    store.read("part-1")
    store.read_tail("part-1", 1)
    store.list("part-")
    store.delete("part-1")
    assert store.seen == {
        "put:part": 1,
        "replace:part": 1,
        "stat:part": 1,
        "read:part": 3,
        "list:part": 1,
        "delete:part": 1,
    }


def _put_twice(folder: str, words: str) -> None:
    """Put two files; a fail-point is between them."""
    from flows.shards.object_store import open_store
    from flows.shards.settings import S3Settings

    store = FailPointStore(open_store(folder, S3Settings()), [FailPoint.parse(words)])
    store.put_if_absent("part-1", b"1")
    store.put_if_absent("part-2", b"2")


def test_kill_ends_the_process(tmp_path: Path) -> None:
    """The process is gone before its second put."""
    process = multiprocessing.get_context("spawn").Process(
        target=_put_twice, args=(str(tmp_path), "before:put:part=kill@1")
    )
    process.start()
    process.join()
    assert process.exitcode == -signal.SIGKILL
    assert [path.name for path in tmp_path.glob("part-*")] == ["part-1"]


def test_stop_holds_the_process(tmp_path: Path) -> None:
    """The process stands before its second put until it is told to go on."""
    process = multiprocessing.get_context("spawn").Process(
        target=_put_twice, args=(str(tmp_path), "after:put:part=stop")
    )
    process.start()
    assert process.pid is not None
    _, status = os.waitpid(process.pid, os.WUNTRACED)
    assert os.WIFSTOPPED(status)
    assert [path.name for path in tmp_path.glob("part-*")] == ["part-1"]
    os.kill(process.pid, signal.SIGCONT)
    process.join()
    assert process.exitcode == 0
    assert sorted(path.name for path in tmp_path.glob("part-*")) == ["part-1", "part-2"]
