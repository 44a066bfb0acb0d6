"""Run an S3 server with many small objects in it."""

import http.client
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

from cli.stack.process import LOOPBACK
from cli.stack.s3 import LocalS3

_BUCKET = "bench"
_CONNECTIONS = 4
_TIMEOUT_S = 30.0


@dataclass(frozen=True, slots=True)
class S3Server:
    """moto's S3 server on loopback, which takes one request at a time and any credentials."""

    port: int
    """Where it listens."""

    @property
    def environment(self) -> Mapping[str, str]:
        """Nightshift's settings by which it is reached."""
        return {
            "NIGHTSHIFT_S3_ENDPOINT_URL": f"http://{LOOPBACK}:{self.port}",
            "NIGHTSHIFT_S3_ACCESS_KEY": "nightshift",
            "NIGHTSHIFT_S3_SECRET_KEY": "nightshift-secret",
            "NIGHTSHIFT_S3_REGION": "us-east-1",
        }

    def put_many(self, prefix: str, data: bytes, *, count: int) -> str:
        """Put the same bytes under so many keys below `prefix`; returns its URI."""
        self._put(["/" + _BUCKET], b"")
        keys = [f"/{_BUCKET}/{prefix}/{number:05d}.parquet" for number in range(count)]
        with ThreadPoolExecutor(_CONNECTIONS) as threads:
            shares = [keys[first::_CONNECTIONS] for first in range(_CONNECTIONS)]
            list(threads.map(lambda share: self._put(share, data), shares))
        return f"s3://{_BUCKET}/{prefix}"

    def _put(self, paths: list[str], data: bytes) -> None:
        with closing(http.client.HTTPConnection(LOOPBACK, self.port, timeout=_TIMEOUT_S)) as to:
            for path in paths:
                to.request("PUT", path, body=data)
                answer = to.getresponse()
                answer.read()
                if answer.status != 200:
                    raise RuntimeError(f"the S3 server refused {path}: {answer.status}")


@contextmanager
def s3_server(python: Path, log: Path) -> Iterator[S3Server]:
    """Run the server by that interpreter, for the length of the block."""
    with LocalS3(log=log, python=python) as server:
        yield S3Server(server.port)
