"""Local folders keep their promises on odd file systems and in odd places."""

import errno
import os
import stat
from pathlib import Path

import pytest

from flows.shards.errors import InputChanged, NoSuchObject, StoreDenied, StoreUnavailable
from flows.shards.local_files import LinkLoop, NotAFile
from flows.shards.object_store import StoreProbe
from flows.shards.object_store_local import LocalStore


def no_links(source: Path, target: Path) -> None:
    """What a file system without hard links says."""
    raise OSError(errno.EPERM, os.strerror(errno.EPERM))


def test_file_system_without_hard_links(tmp_path: Path) -> None:
    """Files are renamed instead: whole, but over what is there, as the probe says."""
    store = LocalStore(tmp_path / "out", link=no_links)
    assert store.probe() == StoreProbe(writable=True, conditional_writes=False)
    source = tmp_path / "source"
    source.write_bytes(b"one")
    assert store.put_if_absent("key", source)
    assert source.read_bytes() == b"one"
    assert store.put_if_absent("key", b"two")
    assert store.read("key") == b"two"
    assert list((store.scratch_folder()).iterdir()) == []


def test_failing_link_is_an_error(tmp_path: Path) -> None:
    """Any other failure publishes nothing."""

    def full(source: Path, target: Path) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    store = LocalStore(tmp_path, link=full)
    with pytest.raises(StoreUnavailable, match="No space left on device"):
        store.put_if_absent("key", b"x")
    assert store.stat("key") is None


@pytest.mark.skipif(not Path("/dev/shm").is_dir(), reason="needs a second file system")
def test_source_on_another_file_system(tmp_path: Path) -> None:
    """What cannot be linked is copied, then linked; the source stays."""
    source = Path("/dev/shm") / f"nightshift-{os.getpid()}"
    source.write_bytes(b"far away")
    try:
        store = LocalStore(tmp_path / "out")
        assert store.put_if_absent("key", source)
        assert not store.put_if_absent("key", source)
        assert (store.read("key"), source.read_bytes()) == (b"far away", b"far away")
    finally:
        source.unlink()


def test_published_files_follow_the_umask(tmp_path: Path) -> None:
    """Others may read what was published, if the user's umask lets them."""
    before = os.umask(0o022)
    try:
        store = LocalStore(tmp_path)
        store.put_if_absent("key", b"x")
        store.replace("other", b"x", if_etag=None)
    finally:
        os.umask(before)
    for key in ("key", "other"):
        assert stat.S_IMODE((tmp_path / key).stat().st_mode) == 0o644


@pytest.mark.parametrize("key", ["../x", "a/../../x", "/etc/passwd", "a\0b"])
def test_keys_stay_below_the_root(tmp_path: Path, key: str) -> None:
    """A key that would leave the folder is a defect of the caller."""
    store = LocalStore(tmp_path / "root")
    with pytest.raises(ValueError, match="would leave"):
        store.stat(key)


def test_folder_is_no_object(tmp_path: Path) -> None:
    """A folder has no bytes to read, and is not listed."""
    store = LocalStore(tmp_path)
    store.put_if_absent("folder/key", b"x")
    assert store.stat("folder") is None
    assert [info.key for info in store.list()] == ["folder/key"]
    for use in (store.read, lambda key: store.read_tail(key, 8)):
        with pytest.raises(NoSuchObject, match="folder"):
            use("folder")
    with pytest.raises(StoreDenied):
        store.put_if_absent("folder/key/below", b"x")


def test_links_to_data_are_followed(tmp_path: Path) -> None:
    """Datasets may be made of symbolic links, to files and to folders."""
    (tmp_path / "data" / "sub").mkdir(parents=True)
    (tmp_path / "data" / "sub" / "x").write_bytes(b"x")
    root = tmp_path / "root"
    root.mkdir()
    (root / "sub").symlink_to(tmp_path / "data" / "sub")
    (root / "y").symlink_to(tmp_path / "data" / "sub" / "x")
    for inputs in (False, True):
        assert [info.key for info in LocalStore(root, inputs=inputs).list()] == ["sub/x", "y"]


@pytest.mark.parametrize("target", ["nowhere", "/nowhere/b", "a.parquet/below"])
def test_links_to_nowhere(tmp_path: Path, target: str) -> None:
    """The rows behind one are not left out silently; for an output it is no object."""
    (tmp_path / "a.parquet").write_bytes(b"1")
    (tmp_path / "c.parquet").symlink_to(target)
    inputs = LocalStore(tmp_path, inputs=True)
    with pytest.raises(NotAFile) as caught:
        inputs.list()
    assert str(caught.value) == (
        f"not a file: {tmp_path}/c.parquet is a link to {target}, which is not there: put a file "
        "in its place, or begin its name with '_' so that it is skipped"
    )
    assert [info.key for info in LocalStore(tmp_path).list()] == ["a.parquet"]
    (tmp_path / "c.parquet").rename(tmp_path / "_c.parquet")
    assert [info.key for info in inputs.list()] == ["a.parquet"]


def test_a_pipe_is_no_file(tmp_path: Path) -> None:
    """Who reads one waits for ever: told in a dataset, left out of an output."""
    os.mkfifo(tmp_path / "a.parquet")
    with pytest.raises(NotAFile, match=r"a\.parquet is a pipe, a socket or a device: "):
        LocalStore(tmp_path, inputs=True).list()
    assert LocalStore(tmp_path).list() == []
    assert LocalStore(tmp_path).stat("a.parquet") is None


@pytest.mark.parametrize("target", [".", "..", "loop", "../other"])
def test_links_that_lead_back(tmp_path: Path, target: str) -> None:
    """A loop is named with what to do, and is not followed until the system gives up."""
    (tmp_path / "data/deep").mkdir(parents=True)
    (tmp_path / "other").symlink_to("data/deep")
    (tmp_path / "data/a.parquet").write_bytes(b"1")
    (tmp_path / "data/deep/loop").symlink_to(f"../{target}" if "other" in target else target)
    with pytest.raises(LinkLoop, match=r"data/deep/loop.*: remove that link"):
        LocalStore(tmp_path / "data").list()


@pytest.mark.parametrize("inputs", [False, True])
def test_what_was_not_asked_for_is_not_looked_at(tmp_path: Path, inputs: bool) -> None:
    """Loops beside a prefix are nobody's business, whether folders or links to themselves."""
    for key in ("a.parquet", "month=1/a.parquet", "other/a.parquet"):
        (tmp_path / key).parent.mkdir(exist_ok=True)
        (tmp_path / key).write_bytes(b"1")
    (tmp_path / "other/loop").symlink_to("..")
    (tmp_path / "self").symlink_to("self")
    store = LocalStore(tmp_path, inputs=inputs)
    for prefix in ("a.parquet", "month=1/", "month=1/a", "mon"):
        expected = "a.parquet" if prefix[0] == "a" else "month=1/a.parquet"
        assert [info.key for info in store.list(prefix)] == [expected]
    with pytest.raises(LinkLoop):
        store.list()


def test_hidden_names_of_inputs_are_not_looked_at(tmp_path: Path) -> None:
    """A dataset does without them, whatever they are; an output has hidden objects."""
    for key in ("a.parquet", "_old/a.parquet", ".x/a.parquet", "_day=1/a.parquet", "_SUCCESS"):
        (tmp_path / key).parent.mkdir(exist_ok=True)
        (tmp_path / key).write_bytes(b"1")
    inputs = LocalStore(tmp_path, inputs=True)
    assert [info.key for info in inputs.list()] == ["_day=1/a.parquet", "a.parquet"]
    assert len(LocalStore(tmp_path).list()) == 5
    (tmp_path / "_old/loop").symlink_to("..")
    (tmp_path / ".self").symlink_to(".self")
    assert [info.key for info in inputs.list()] == ["_day=1/a.parquet", "a.parquet"]


def test_same_size_another_content(tmp_path: Path) -> None:
    """The time of change tells contents of one size apart."""
    store = LocalStore(tmp_path)
    store.put_if_absent("key", b"one")
    first = store.stat("key")
    store.replace("key", b"two", if_etag=None)
    assert store.stat("key") != first


def test_input_written_over_with_its_old_time(tmp_path: Path) -> None:
    """Another content of the same size and time is another input; an output's ETag may stay."""
    path = tmp_path / "a"
    stores = [LocalStore(tmp_path, inputs=inputs) for inputs in (True, False)]
    path.write_bytes(b"123")
    before = [store.list() for store in stores]
    time = path.stat().st_mtime_ns
    while LocalStore(tmp_path, inputs=True).list() == before[0]:
        path.write_bytes(b"567")
        os.utime(path, ns=(time, time))
    assert [store.list() == was for store, was in zip(stores, before, strict=True)] == [False, True]
    with pytest.raises(InputChanged):
        stores[0].open("a", before[0][0].etag)


def test_a_live_run_keeps_its_scratch(tmp_path: Path) -> None:
    """Another run of the same output that finishes first takes only its own away."""
    fast, slow = LocalStore(tmp_path), LocalStore(tmp_path)
    part = slow.scratch_folder() / "part"
    part.write_bytes(b"slow")
    assert fast.put_if_absent("fast", b"x")
    fast.clear_scratch()
    assert slow.put_if_absent("slow", part)
    assert slow.put_if_absent("other", b"x")
    assert [info.key for info in slow.list()] == ["fast", "other", "slow"]
    slow.clear_scratch()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["fast", "other", "slow"]
    assert slow.put_if_absent("again", b"x")
