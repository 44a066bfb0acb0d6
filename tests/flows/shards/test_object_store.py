"""Addresses open a store or are refused; nothing hidden in them is followed."""

from pathlib import Path

import pytest
from pydantic import SecretStr

from flows.shards.errors import BadUri, StoreDenied
from flows.shards.object_store import StoreProbe, open_store, probe_store
from flows.shards.settings import S3Settings
from tests.contracts.memory_object_store import MemoryObjectStore

S3 = S3Settings(endpoint_url="http://127.0.0.1:9", access_key="a", secret_key=SecretStr("b"))


@pytest.mark.parametrize(
    ("uri", "root"),
    [
        ("/data/x", "/data/x"),
        ("/data/x/", "/data/x"),
        ("/data/../x", "/x"),
        ("file:///data/a%20b", "/data/a b"),
        ("file://localhost/data", "/data"),
        ("s3://bucket", "s3://bucket"),
        ("s3://bucket/", "s3://bucket"),
        ("s3://bucket/a/b=1/", "s3://bucket/a/b=1"),
    ],
)
def test_addresses(uri: str, root: str) -> None:
    """Local paths, file addresses, buckets and prefixes."""
    assert open_store(uri, S3).uri == root


def test_relative_and_home_paths(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Paths of the working folder and of the user's home."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", "/home/me")
    assert open_store("out", S3).uri == str(tmp_path / "out")
    assert open_store("~/out", S3).uri == "/home/me/out"


@pytest.mark.parametrize(
    "uri",
    [
        "",
        "  ",
        "/data\0/x",
        "gs://bucket/x",
        "http://169.254.169.254/latest",
        "simplecache::s3://bucket/x",
        "s3://",
        "s3:///x",
        "s3://bucket//x",
        "s3://bucket/a/../b",
        "s3://bucket/..",
        "s3://bucket/./x",
        "s3://key:secret@bucket/x",
        "s3://bucket:80/x",
        "s3://bucket/x?endpoint_override=169.254.169.254:80&scheme=http",
        "s3://bucket/x#y",
        "s3://bucket/x\\y",
        "s3://bucket/x::file:///etc/passwd",
        "s3://b%75cket/x",
        "file://host/etc/passwd",
        "file:///etc/passwd?x=1",
    ],
)
def test_refused_addresses(uri: str) -> None:
    """Other schemes, chains, queries, credentials and steps upwards."""
    with pytest.raises(BadUri) as caught:
        open_store(uri, S3)
    assert "write a local path, file:///folder or s3://bucket/prefix" in str(caught.value)


def test_probe_of_a_store_that_says_no() -> None:
    """Not being allowed to write is an answer, with the store's words."""

    class Denying(MemoryObjectStore):
        def put_if_absent(self, key: str, source: bytes | Path) -> bool:
            raise StoreDenied(key, "AccessDenied: no")

    assert probe_store(Denying()) == StoreProbe(False, False, "AccessDenied: no")
