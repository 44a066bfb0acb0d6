"""Start moto's S3 server for tests."""

import http.client
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from cli.stack.process import LOOPBACK, GuardedProcess, free_ports

_APP = Path(__file__).with_name("s3_app.py")


@dataclass(frozen=True, slots=True)
class S3Endpoint:
    """A bucket of one's own on a local S3 server."""

    url: str
    """`http://host:port` of the endpoint."""
    bucket: str
    """An empty bucket that only this test knows."""
    access_key: str = "nightshift"
    """Any key is taken."""
    secret_key: str = "nightshift-secret"
    """Any secret is taken."""
    region: str = "us-east-1"
    """The region that needs no location constraint."""

    @property
    def uri(self) -> str:
        """`s3://bucket`."""
        return f"s3://{self.bucket}"


@contextmanager
def local_s3(log: Path, *, careless: bool = False) -> Iterator[str]:
    """Run an S3 server, one that ignores conditional writes if `careless`; yield its URL."""
    (port,) = free_ports(1)
    words = [str(port), "careless"] if careless else [str(port)]
    process = GuardedProcess(
        "S3", [sys.executable, _APP, *words], log=log, env=os.environ, grace_s=0.5
    )
    with process:
        process.await_ready(lambda: _answers(port), deadline_s=60)
        yield f"http://{LOOPBACK}:{port}"


def make_bucket(url: str, name: str) -> None:
    """Create an empty bucket."""
    connection = http.client.HTTPConnection(url.removeprefix("http://"), timeout=10)
    try:
        connection.request("PUT", f"/{name}")
        answer = connection.getresponse()
        assert answer.status == 200, answer.read()
    finally:
        connection.close()


def _answers(port: int) -> bool:
    connection = http.client.HTTPConnection(LOOPBACK, port, timeout=2)
    try:
        connection.request("GET", "/moto-api/data.json")
        return connection.getresponse().status == 200
    except OSError:
        return False
    finally:
        connection.close()
