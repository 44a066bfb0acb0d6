"""One suite for every object store: in memory, local folders, S3, and a careless store."""

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from pydantic import SecretStr

from flows.shards.errors import InputChanged, NoSuchObject
from flows.shards.object_store import ObjectInfo, ObjectStore, StoreProbe, Tail, open_store
from flows.shards.settings import S3Settings
from tests.contracts.memory_object_store import MemoryObjectStore
from tests.servers.s3 import S3Endpoint


def s3_settings(endpoint: S3Endpoint) -> S3Settings:
    """Settings that reach the test's S3 server."""
    return S3Settings(
        endpoint_url=endpoint.url,
        access_key=endpoint.access_key,
        secret_key=SecretStr(endpoint.secret_key),
        region=endpoint.region,
    )


@pytest.fixture(params=["memory", "careless", "local", "s3"])
def kind(request: pytest.FixtureRequest) -> str:
    """Which store the test runs on."""
    name: str = request.param
    return name


@pytest.fixture
def store(kind: str, tmp_path: Path, request: pytest.FixtureRequest) -> ObjectStore:
    """An empty store."""
    if kind == "local":
        return open_store(str(tmp_path / "root"), S3Settings())
    if kind == "s3":
        endpoint: S3Endpoint = request.getfixturevalue("s3_endpoint")
        return open_store(f"{endpoint.uri}/some/root", s3_settings(endpoint))
    return MemoryObjectStore(careless=kind == "careless")


@pytest.fixture
def conditional(kind: str) -> bool:
    """Whether the store is expected to honour conditions."""
    return kind != "careless"


def test_empty_root_lists_nothing(store: ObjectStore) -> None:
    """A root at which nothing was written lists no objects and has none."""
    assert (store.list(), store.list("part-"), store.stat("part-1")) == ([], [], None)


def test_put_is_seen_at_once(store: ObjectStore) -> None:
    """A put object is listed, described and read, also after an earlier look found nothing."""
    assert store.stat("a/b") is None
    assert store.list("a/") == []
    assert store.put_if_absent("a/b", b"content")
    info = store.stat("a/b")
    assert info is not None
    assert (info.key, info.size) == ("a/b", 7)
    assert store.list("a/") == [info]
    assert store.read("a/b") == b"content"


def test_list_goes_by_text_of_the_key(store: ObjectStore) -> None:
    """A prefix need not end at a slash; keys come sorted, from every depth."""
    for key in ("part-2", "part-1", "x/part-3", "_job-1", "part-x/deep/er"):
        store.put_if_absent(key, b"1")
    assert [info.key for info in store.list("part-")] == ["part-1", "part-2", "part-x/deep/er"]
    assert [info.key for info in store.list()] == sorted(
        ["part-2", "part-1", "x/part-3", "_job-1", "part-x/deep/er"]
    )
    assert [info.key for info in store.list("x/")] == ["x/part-3"]


def test_put_of_a_taken_name_is_refused(store: ObjectStore, conditional: bool) -> None:
    """The first put wins and keeps its bytes; a careless store lets the second one win."""
    assert store.put_if_absent("key", b"first")
    assert store.put_if_absent("key", b"second") is not conditional
    assert store.read("key") == (b"first" if conditional else b"second")


def test_put_of_a_file(store: ObjectStore, tmp_path: Path) -> None:
    """A file is put whole and stays where it is."""
    source = tmp_path / "source"
    source.write_bytes(b"0123456789")
    assert store.put_if_absent("deep/er/key", source)
    source.write_bytes(b"0123456789")
    assert store.read("deep/er/key") == b"0123456789"


def test_one_of_many_writers_wins(store: ObjectStore, conditional: bool) -> None:
    """Sixteen threads put one name: exactly one is told that it won, and its bytes are there."""
    barrier = threading.Barrier(16)

    def put(writer: int) -> bool:
        barrier.wait()
        return store.put_if_absent("key", b"%d" % writer)

    with ThreadPoolExecutor(16) as threads:
        won = [writer for writer, ok in enumerate(threads.map(put, range(16))) if ok]
    if conditional:
        assert len(won) == 1
    assert int(store.read("key")) in won


def test_read_tail(store: ObjectStore) -> None:
    """The last bytes come with the object's identity; a short object comes whole."""
    store.put_if_absent("key", b"0123456789")
    info = store.stat("key")
    assert info is not None
    assert store.read_tail("key", 4) == Tail(b"6789", info)
    assert store.read_tail("key", 2**40) == Tail(b"0123456789", info)


def test_object_without_bytes(store: ObjectStore) -> None:
    """An empty object can be put, described, and read from either end."""
    store.put_if_absent("key", b"")
    tail = store.read_tail("key", 8)
    assert (store.read("key"), tail.data, tail.info.size) == (b"", b"", 0)
    with store.open("key") as source:
        assert source.read() == b""


def test_open_reads_anywhere(store: ObjectStore) -> None:
    """An open object is a file: positions, ranges and the end behave as files do."""
    store.put_if_absent("key", b"0123456789")
    with store.open("key") as source:
        assert source.read(3) == b"012"
        assert source.seek(5) == 5
        assert source.read(2) == b"56"
        assert source.tell() == 7
        assert source.seek(-2, 2) == 8
        assert source.read() == b"89"
        assert source.read(1) == b""


def test_open_of_another_content_is_refused(store: ObjectStore) -> None:
    """An object that was replaced, or is gone, is not the one that was planned."""
    store.put_if_absent("key", b"planned")
    info = store.stat("key")
    assert info is not None
    store.open("key", info.etag).close()
    store.replace("key", b"another", if_etag=None)
    with pytest.raises(InputChanged, match="key"):
        store.open("key", info.etag)
    store.delete("key")
    with pytest.raises(InputChanged, match="is gone"):
        store.open("key", info.etag)


@pytest.mark.parametrize(
    "use",
    [
        lambda store: store.read("missing"),
        lambda store: store.read_tail("missing", 8),
        lambda store: store.open("missing"),
    ],
)
def test_missing_object(store: ObjectStore, use: Callable[[ObjectStore], object]) -> None:
    """Reading what is not there names the object's full address."""
    with pytest.raises(NoSuchObject, match=f"{store.uri}/missing"):
        use(store)


def test_replace_compares_the_etag(store: ObjectStore, conditional: bool) -> None:
    """A replacement needs the ETag that it was told; a missing object has none."""
    store.put_if_absent("key", b"one")
    first = store.stat("key")
    assert first is not None
    assert store.replace("key", b"two", if_etag=first.etag)
    second = store.stat("key")
    assert second is not None
    assert second.etag != first.etag
    assert store.replace("key", b"three", if_etag=first.etag) is not conditional
    assert store.read("key") == (b"two" if conditional else b"three")
    assert store.replace("missing", b"x", if_etag=first.etag) is not conditional
    assert store.replace("new", b"x", if_etag=None)


def test_delete_is_repeatable(store: ObjectStore) -> None:
    """A deleted object is gone; deleting again, or what never was, does nothing."""
    store.put_if_absent("key", b"1")
    store.delete("key")
    store.delete("key")
    store.delete("never/was")
    assert store.list() == []


def test_probe_tells_the_truth(store: ObjectStore, conditional: bool) -> None:
    """The probe finds out about conditions and leaves nothing behind."""
    assert store.probe() == StoreProbe(writable=True, conditional_writes=conditional)
    assert store.list() == []


@pytest.mark.parametrize("chosen", [False, True])
def test_scratch_is_no_object_of_the_output(
    store: ObjectStore, tmp_path: Path, chosen: bool
) -> None:
    """What is built in the scratch folder can be put, and the folder can be cleared."""
    top = tmp_path / "fast" if chosen else None
    folder = store.scratch_folder(top)
    assert store.scratch_folder(top) == folder
    assert not chosen or folder.parent == top
    scratch = folder / "scratch"
    scratch.write_bytes(b"part")
    assert store.put_if_absent("part", scratch)
    store.clear_scratch()
    store.clear_scratch()
    assert not folder.exists()
    assert not (tmp_path / "fast").exists()
    assert store.list() == [ObjectInfo("part", 4, store.list()[0].etag)]
