"""The S3 server: one winner for a key, objects that outlive it, one key that opens it."""

import http.client
import os
import signal
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from cli.stack.errors import CannotPrepare
from cli.stack.s3 import LocalS3, make_bucket
from flows.shards.object_store import open_store
from flows.shards.settings import S3Settings

_KEY = "NSKEPT"
_BUCKET = "lake"


def _settings(server: LocalS3, key: str = _KEY) -> S3Settings:
    return S3Settings.model_validate(
        {
            "endpoint_url": server.url,
            "region": "us-east-1",
            "access_key": key,
            "secret_key": "any",
            "tries": 1,
        }
    )


@pytest.fixture
def server(tmp_path: Path) -> Iterator[LocalS3]:
    """A server that keeps its objects, with an empty bucket."""
    made = LocalS3(log=tmp_path / "s3.log", folder=tmp_path / "kept", access_key=_KEY)
    with made:
        make_bucket(made.url, _BUCKET, access_key=_KEY)
        yield made


def _killed_and_started(server: LocalS3) -> None:
    os.kill(server.pid, signal.SIGKILL)
    server.stop()
    server.start()


def _objects(server: LocalS3) -> Mapping[str, tuple[str, bytes]]:
    """Return each key with its ETag and its bytes."""
    store = open_store(f"s3://{_BUCKET}", _settings(server))
    return {each.key: (each.etag, store.read(each.key)) for each in store.list()}


def test_objects_outlive_a_killed_server(server: LocalS3, tmp_path: Path) -> None:
    """What was acknowledged is there again, as it was: odd names, large ones, replaced ones."""
    store = open_store(f"s3://{_BUCKET}", _settings(server))
    large = tmp_path / "large"
    large.write_bytes(os.urandom(11 << 20))
    assert store.put_if_absent("plain/a.parquet", b"a")
    assert store.put_if_absent("größe 50%+1/ü&=#.parquet", b"odd")
    assert store.put_if_absent("gone", b"gone")
    assert store.put_if_absent("changed", b"before")
    before = store.stat("changed")
    assert before is not None
    assert store.replace("changed", b"after", if_etag=before.etag)
    pieces = open_store(
        f"s3://{_BUCKET}", _settings(server).model_copy(update={"single_put_bytes": 10 << 20})
    )
    assert pieces.put_if_absent("in pieces", large)
    store.delete("gone")
    there = _objects(server)
    assert sorted(there) == ["changed", "größe 50%+1/ü&=#.parquet", "in pieces", "plain/a.parquet"]
    assert there["in pieces"][0].strip('"').endswith("-3")
    _killed_and_started(server)
    assert _objects(server) == there
    again = open_store(f"s3://{_BUCKET}", _settings(server))
    assert not again.put_if_absent("plain/a.parquet", b"another")


def test_many_are_deleted_at_once(server: LocalS3) -> None:
    """A request to the bucket that deletes several keys is followed as well."""
    store = open_store(f"s3://{_BUCKET}", _settings(server))
    for key in ("a", "b", "c"):
        store.put_if_absent(key, key.encode())
    body = b"<Delete><Object><Key>a</Key></Object><Object><Key>c</Key></Object></Delete>"
    assert _asked(server, "POST", f"/{_BUCKET}?delete", body, _KEY) == 200
    _killed_and_started(server)
    assert list(_objects(server)) == ["b"]


def test_a_bucket_that_is_gone_stays_gone(server: LocalS3) -> None:
    """An emptied bucket can be deleted; a bucket that stays is there once more."""
    assert _asked(server, "DELETE", f"/{_BUCKET}", b"", _KEY) == 204
    make_bucket(server.url, "other", access_key=_KEY)
    _killed_and_started(server)
    assert _asked(server, "HEAD", f"/{_BUCKET}", b"", _KEY) == 404
    assert _asked(server, "HEAD", "/other", b"", _KEY) == 200


def test_another_key_opens_nothing(server: LocalS3) -> None:
    """Without the key nothing is read, written or made."""
    for key in ("", "NSOTHER", "NSKEPTX", "NSKEP"):
        for method, path in (("GET", f"/{_BUCKET}"), ("PUT", f"/{_BUCKET}/a"), ("PUT", "/mine")):
            assert _asked(server, method, path, b"", key) == 403
    with pytest.raises(CannotPrepare, match=r"no bucket mine: .*InvalidAccessKeyId"):
        make_bucket(server.url, "mine", access_key="NSOTHER")
    assert _objects(server) == {}


def test_a_half_written_file_is_not_an_object(server: LocalS3, tmp_path: Path) -> None:
    """What was being written when the machine died is removed, the rest is loaded."""
    open_store(f"s3://{_BUCKET}", _settings(server)).put_if_absent("a", b"a")
    half = tmp_path / "kept" / _BUCKET / ".half"
    half.write_bytes(b'{"key": "b"')
    _killed_and_started(server)
    assert list(_objects(server)) == ["a"]
    assert not half.exists()


def _asked(server: LocalS3, method: str, path: str, body: bytes, key: str) -> int:
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=60)
    words = f"AWS4-HMAC-SHA256 Credential={key}/20260101/us-east-1/s3/aws4_request"
    try:
        connection.request(method, path, body, {"Authorization": words} if key else {})
        return connection.getresponse().status
    finally:
        connection.close()
