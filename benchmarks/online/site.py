"""Run what is measured: Triton servers, with our API before them."""

import contextlib
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.error import HTTPError
from urllib.request import Request, urlopen

from api.gateway.scopes import ALL_SCOPES
from api.gateway.settings import TokenSettings
from api.gateway.tokens import make_token
from cli.stack.process import LOOPBACK, free_ports

SECRET = "0123456789abcdef-of-this-benchmark-only"
_START_S = 60.0


@dataclass(frozen=True, slots=True)
class Api:
    """An API process that answers."""

    port: int
    """Where, on loopback."""
    pid: int
    """Its process."""
    process: subprocess.Popen[bytes]
    """The same, to be ended."""


def bearer() -> dict[str, str]:
    """Return the header with a token for everything."""
    token = make_token(
        SECRET.encode(),
        subject="bench",
        scopes=ALL_SCOPES,
        expected=TokenSettings(environment="production").expected,
        now=time.time(),
        lifetime_s=7200,
    )
    return {"Authorization": f"Bearer {token}"}


@contextlib.contextmanager
def running_api(
    folder: Path, urls: Sequence[str], *, port: int | None = None, more: Mapping[str, str] = {}
) -> Iterator[Api]:
    """Run `nightshift serve` over these servers; a registry is made in `folder`."""
    chosen = free_ports(1)[0] if port is None else port
    environment = os.environ | {
        "NIGHTSHIFT_API_PORT": str(chosen),
        "NIGHTSHIFT_DATABASE_URL": f"sqlite:///{folder}/registry.db",
        "NIGHTSHIFT_DATA_DIR": str(folder),
        "NIGHTSHIFT_ENVIRONMENT": "production",
        "NIGHTSHIFT_JWT_SECRET": SECRET,
        "NIGHTSHIFT_QUOTA_SUBJECT": "100000000/1",
        "NIGHTSHIFT_TRITON_URLS": ",".join(urls),
        **more,
    }
    words = [sys.executable, "-m", "cli.main", "serve"]
    process = subprocess.Popen(words, env=environment, stdout=subprocess.DEVNULL)
    try:
        _await(chosen, process)
        yield Api(chosen, process.pid, process)
    finally:
        if process.poll() is None:
            process.terminate()
        try:
            process.wait(timeout=_START_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def register(port: int, model: str) -> None:
    """Have the API know `model` as its own, with its first version as `champion`."""
    versions = f"/v1/models/{model}/versions"
    draft = {"served_name": model, "digest": f"sha256:{0:064x}"}
    _send(port, "POST", versions, draft, {"Idempotency-Key": "first"})
    alias = f"/v1/models/{model}/aliases/champion"
    _send(port, "PUT", alias, {"version": 1}, {"If-None-Match": "*"})


def _send(
    port: int, method: str, path: str, body: Mapping[str, object], headers: Mapping[str, str]
) -> None:
    """Raises `HTTPError` for any answer but success."""
    told = {"Content-Type": "application/json", **bearer(), **headers}
    url = f"http://{LOOPBACK}:{port}{path}"
    urlopen(Request(url, json.dumps(body).encode(), told, method=method)).read()


def _await(port: int, process: subprocess.Popen[bytes]) -> None:
    end = time.monotonic() + _START_S
    while True:
        try:
            urlopen(Request(f"http://{LOOPBACK}:{port}/health/ready")).read()
            return
        except HTTPError as error:
            cause: Exception = error
        except OSError as error:
            cause = error
        if process.poll() is not None or time.monotonic() > end:
            raise RuntimeError(f"the API does not start ({process.poll()}): {cause}")
        time.sleep(0.1)
