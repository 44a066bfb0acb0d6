"""What S3 answers becomes the right error, and large parts go out in pieces."""

import http.client
import os
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from pydantic import SecretStr

from flows.shards.commit import Committed, commit_part, part_key
from flows.shards.dataset import Dataset
from flows.shards.errors import (
    AmbiguousPut,
    NoSuchObject,
    OutputNotWritable,
    ShardError,
    StoreDenied,
    StoreUnavailable,
)
from flows.shards.object_store import StoreProbe
from flows.shards.object_store_ranges import PIECE_BYTES
from flows.shards.object_store_s3 import S3Store
from flows.shards.settings import S3Settings
from tests.contracts.test_object_store import s3_settings
from tests.faults.proxy import DROPPED_ANSWER, FaultProxy, Rule
from tests.flows.shards.jobs import Job
from tests.servers.s3 import S3Endpoint

SMALL_PUTS = {"single_put_bytes": 10 * 2**20}
"""A change of settings, so that 11 MiB go out in pieces."""


def store_at(endpoint: S3Endpoint) -> S3Store:
    """A store below the test's bucket."""
    return S3Store(endpoint.bucket, "lake", s3_settings(endpoint))


def settings_for(url: str, *, tries: int) -> S3Settings:
    """Settings for a server that looks at no credentials."""
    return S3Settings(
        endpoint_url=url,
        access_key="a",
        secret_key=SecretStr("b"),
        region="us-east-1",
        tries=tries,
    )


def test_large_file_goes_out_in_pieces(s3_endpoint: S3Endpoint, tmp_path: Path) -> None:
    """Above the limit the upload is multipart, its completion conditional, nothing is pending."""
    source = tmp_path / "large"
    source.write_bytes(os.urandom(11 * 2**20))
    settings = s3_settings(s3_endpoint).model_copy(update=SMALL_PUTS)
    store = S3Store(s3_endpoint.bucket, "lake", settings)
    assert store.put_if_absent("key", source)
    info = store.stat("key")
    assert info is not None
    assert info.etag.endswith("-3")
    assert store.read("key") == source.read_bytes()
    other = tmp_path / "other"
    other.write_bytes(os.urandom(11 * 2**20))
    assert not store.put_if_absent("key", other)
    assert store.stat("key") == info
    assert not store.put_if_absent("key", b"small")
    with store.open("key", info.etag) as opened:
        data = source.read_bytes()
        assert opened.read() == data
        opened.seek(5)
        assert opened.read(PIECE_BYTES + 7) == data[5 : PIECE_BYTES + 12]


def test_listing_of_several_pages(s3_endpoint: S3Endpoint) -> None:
    """More objects than one answer holds."""
    expected = sorted(f"k{index}" for index in range(1005))
    # Unsigned requests over one connection: signing a thousand takes far longer than listing them.
    connection = http.client.HTTPConnection(s3_endpoint.url.removeprefix("http://"))
    with closing(connection):
        for key in expected:
            connection.request("PUT", f"/{s3_endpoint.bucket}/lake/{key}")
            connection.getresponse().read()
    assert [info.key for info in store_at(s3_endpoint).list("k")] == expected


def test_bucket_that_is_not_there(s3_endpoint: S3Endpoint) -> None:
    """Its absence is said by the probe, the look at the root, and a listing."""
    store = S3Store("no-such-bucket", "", s3_settings(s3_endpoint))
    assert store.probe() == StoreProbe(False, False, "there is no such bucket")
    assert not store.root_exists()
    assert S3Store(s3_endpoint.bucket, "", s3_settings(s3_endpoint)).root_exists()
    with pytest.raises(NoSuchObject):
        store.list()


def test_nobody_listens(dataset: Dataset, scratch: Path) -> None:
    """An endpoint that is down is told from one that refuses."""
    store = S3Store("bucket", "lake", settings_for("http://127.0.0.1:9", tries=1))
    with pytest.raises(StoreUnavailable, match="Could not connect"):
        store.list()
    with pytest.raises(AmbiguousPut, match="Could not connect"):
        store.put_if_absent("key", b"")
    with pytest.raises(OutputNotWritable, match=r"s3://bucket/lake \(Could not connect"):
        Job(dataset, store, scratch).claim()


def test_no_credentials(monkeypatch: pytest.MonkeyPatch, s3_endpoint: S3Endpoint) -> None:
    """Without keys the request is not even signed."""
    for name in list(os.environ):
        if name.startswith("AWS_"):
            monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_CONFIG_FILE", "/nonexistent")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", "/nonexistent")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    settings = S3Settings(endpoint_url=s3_endpoint.url, region="us-east-1", tries=1)
    with pytest.raises(StoreDenied, match="credentials"):
        S3Store(s3_endpoint.bucket, "", settings).list()


@contextmanager
def serving(handler: type[BaseHTTPRequestHandler]) -> Iterator[str]:
    """A server on a free port; yields its URL."""
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()


@contextmanager
def answering(status: int, code: str) -> Iterator[str]:
    """A server that gives every request the same answer."""
    body = f"<Error><Code>{code}</Code><Message>{code} was said</Message></Error>".encode()

    class Handler(BaseHTTPRequestHandler):
        # PUTs wait for the interim answer that HTTP/1.0 does not know.
        protocol_version = "HTTP/1.1"

        def answer(self) -> None:
            self.rfile.read(int(self.headers.get("Content-Length", 0)))
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(body)

        do_GET = do_PUT = do_HEAD = do_DELETE = do_POST = answer  # noqa: N815 - http.server's names

        def log_message(self, *args: object) -> None:
            return

    with serving(Handler) as url:
        yield url


@pytest.mark.parametrize(
    ("status", "code", "reading", "putting"),
    [
        (403, "AccessDenied", StoreDenied, StoreDenied),
        (400, "InvalidRequest", StoreDenied, StoreDenied),
        (404, "NoSuchKey", NoSuchObject, NoSuchObject),
        (404, "NoSuchUpload", StoreUnavailable, AmbiguousPut),
        (409, "ConditionalRequestConflict", StoreUnavailable, AmbiguousPut),
        (500, "InternalError", StoreUnavailable, AmbiguousPut),
        (503, "SlowDown", StoreUnavailable, AmbiguousPut),
    ],
)
def test_answers_become_errors(
    status: int, code: str, reading: type[ShardError], putting: type[ShardError]
) -> None:
    """Refusals are final, the rest may be tried again; a put without a clear answer says so."""
    with answering(status, code) as url:
        store = S3Store("bucket", "", settings_for(url, tries=1))
        with pytest.raises(reading) as read:
            store.read("key")
        with pytest.raises(putting) as put:
            store.put_if_absent("key", b"x")
        with pytest.raises(putting) as replaced:
            store.replace("key", b"x", if_etag=None)
    assert {type(read.value), type(put.value), type(replaced.value)} == {reading, putting}


class NoConditions(BaseHTTPRequestHandler):
    """A store that keeps one object and answers 501 to every condition, as some do."""

    protocol_version = "HTTP/1.1"
    kept: bytes | None = None

    def do_PUT(self) -> None:
        """Store, unless a condition comes with it."""
        body = self.rfile.read(int(self.headers["Content-Length"]))
        conditional = self.headers["If-None-Match"] or self.headers["If-Match"]
        if not conditional:
            type(self).kept = body
        self._answer(501 if conditional else 200)

    def do_HEAD(self) -> None:
        """Describe."""
        self._answer(404 if self.kept is None else 200)

    def _answer(self, status: int) -> None:
        self.send_response(status)
        self.send_header("ETag", '"one"')
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *args: object) -> None:
        """Say nothing."""


def test_store_that_knows_no_conditions() -> None:
    """A look stands in for the condition: weaker, but it works."""
    with serving(NoConditions) as url:
        store = S3Store("bucket", "", settings_for(url, tries=4))
        assert store.put_if_absent("key", b"first")
        assert not store.put_if_absent("key", b"second")
        assert NoConditions.kept == b"first"
        assert not store.replace("key", b"third", if_etag="other")
        assert store.replace("key", b"third", if_etag="one")
        assert NoConditions.kept == b"third"


class BrokenBodies(BaseHTTPRequestHandler):
    """A store whose first `broken` bodies break off in the middle."""

    protocol_version = "HTTP/1.1"
    broken = 0

    def do_GET(self) -> None:
        """Send half of what was promised, or all."""
        kind = type(self)
        kind.broken -= 1
        self.send_response(200)
        self.send_header("ETag", '"one"')
        self.send_header("Content-Length", "10")
        self.end_headers()
        self.wfile.write(b"01234" if kind.broken >= 0 else b"0123456789")
        self.close_connection = kind.broken >= 0

    def log_message(self, *args: object) -> None:
        """Say nothing."""


@pytest.mark.parametrize(("broken", "whole"), [(0, True), (2, True), (3, False)])
def test_bodies_that_break_off(broken: int, whole: bool) -> None:
    """An answer whose body ends early is asked for again, a bounded number of times."""
    BrokenBodies.broken = broken
    with serving(BrokenBodies) as url:
        store = S3Store("bucket", "", settings_for(url, tries=3))
        if whole:
            assert store.read("key") == b"0123456789"
            return
        with pytest.raises(StoreUnavailable, match=r"s3://bucket/key"):
            store.read("key")


def test_lost_answer_to_a_multipart_completion(
    dataset: Dataset, s3_endpoint: S3Endpoint, scratch: Path, tmp_path: Path
) -> None:
    """A large part whose completion was carried out and never confirmed is found to be ours."""
    # The first POST begins the upload, the second completes it.
    lost = Rule(DROPPED_ANSWER, "POST", skip=1)
    with FaultProxy(s3_endpoint.url, [lost]) as proxy:
        direct = store_at(s3_endpoint)
        job = Job(dataset, direct, scratch)
        path, write_id = job.build(job.shards(job.claim())[0])
        _grow(path, 11 * 2**20)
        changes = {**SMALL_PUTS, "endpoint_url": proxy.url}
        settings = s3_settings(s3_endpoint).model_copy(update=changes)
        through = S3Store(s3_endpoint.bucket, "lake", settings)
        key = part_key(0, job.fingerprint.digest)
        done = commit_part(through, key, path, write_id, sleep=lambda _: None)
    assert isinstance(done, Committed)
    assert [one.status for one in proxy.harmed()] == [200]
    assert direct.read(key) == path.read_bytes()


def _grow(path: Path, size: int) -> None:
    """Put bytes that nothing reads before the footer of a Parquet file."""
    data = path.read_bytes()
    length = int.from_bytes(data[-8:-4], "little") + 8
    path.write_bytes(data[:-length] + os.urandom(size) + data[-length:])
