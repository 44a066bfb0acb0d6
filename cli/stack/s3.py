"""Run an S3 server on loopback, for this process's life."""

import http.client
import os
import sys
from pathlib import Path
from typing import Self

from cli.stack.errors import CannotPrepare
from cli.stack.process import LOOPBACK, READY_DEADLINE_S, GuardedProcess, OnePortServer
from cli.stack.s3_settings import S3AppSettings

_NAME = "S3"
_ROOT = Path(__file__).parents[2]


class LocalS3(OnePortServer):
    """moto's S3, one request at a time, so that exactly one conditional write wins a key.

    A context manager. It never outlives this process.
    """

    def __init__(
        self,
        *,
        log: Path,
        folder: Path | None = None,
        access_key: str = "",
        careless: bool = False,
        port: int | None = None,
        python: str | os.PathLike[str] = sys.executable,
    ) -> None:
        """Describe the server; nothing runs before `start`. Without `port` a free one is taken.

        Objects are kept in `folder`, without one they end with the server. Only requests with
        `access_key` are answered, all without one. A careless server ignores conditions, as some
        S3 servers do. `python` has moto.
        """
        super().__init__(_NAME, port=port)
        self._log = log
        self._app = S3AppSettings(folder and folder.absolute(), access_key, careless)
        self._python = python

    @property
    def url(self) -> str:
        """`http://host:port` of the endpoint."""
        return f"http://{LOOPBACK}:{self.port}"

    def start(self) -> Self:
        """Start the server; returns when it answers.

        Raises `PortTaken`, `ServerEnded` or `ServerNotReady`.
        """
        self._require_port()
        self._take_port()
        process = GuardedProcess(
            _NAME,
            [self._python, "-m", "cli.stack.s3_app", str(self.port)],
            log=self._log,
            env={**os.environ, **self._app.environment(), "PYTHONPATH": str(_ROOT)},
            grace_s=0.5,
        )
        self._run(process, self._answers, deadline_s=READY_DEADLINE_S)
        return self

    def _answers(self) -> bool:
        connection = http.client.HTTPConnection(LOOPBACK, self.port, timeout=2)
        try:
            connection.request("GET", "/moto-api/data.json")
            return connection.getresponse().status == 200
        except (OSError, http.client.HTTPException):
            return False
        finally:
            connection.close()


def make_bucket(url: str, name: str, *, access_key: str = "nightshift") -> None:
    """Create an empty bucket; one that is there stays as it is."""
    connection = http.client.HTTPConnection(url.removeprefix("http://"), timeout=10)
    try:
        # moto takes the key's word for the signature.
        words = f"AWS4-HMAC-SHA256 Credential={access_key}/20260101/us-east-1/s3/aws4_request"
        connection.request("PUT", f"/{name}", headers={"Authorization": words})
        answer = connection.getresponse()
        told = answer.read()
        if answer.status not in (200, 409):
            raise CannotPrepare(_NAME, f"no bucket {name}: {told.decode(errors='replace')}")
    finally:
        connection.close()
