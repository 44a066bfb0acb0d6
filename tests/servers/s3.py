"""Start an S3 server for tests."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from cli.stack.s3 import LocalS3


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
    with LocalS3(log=log, careless=careless) as server:
        yield server.url
