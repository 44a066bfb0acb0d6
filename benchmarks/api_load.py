"""Count how many requests a second an API answers."""

import asyncio
import contextlib
import os
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from urllib.request import Request, urlopen

from api.gateway.scopes import ALL_SCOPES
from api.gateway.settings import TokenSettings
from api.gateway.tokens import make_token
from cli.stack.process import LOOPBACK, free_ports
from registry.settings import RegistrySettings

BARE = "/bare"
_SECRET = "0123456789abcdef-of-this-benchmark-only"
_PATHS = (
    "/v1/models/churn",
    "/v1/models/churn/versions/1",
    "/v1/models/churn/aliases/champion",
)
_SAME_BODY = "/v1/models/churn/versions/1"
_CONNECTIONS = 8
_ROUND_S = 2.0
_ROUNDS = 4
_START_S = 30.0


async def rates(settings: RegistrySettings, folder: Path) -> dict[str, float]:
    """Return requests per second by path: the API's reads, and the bare route's.

    They take turns, each with the machine to itself, so that all meet the same one.
    """
    api_port, bare_port = free_ports(2)
    bearer = {"Authorization": f"Bearer {_token()}"}
    with _running(_api(api_port, settings, folder)):
        body = _await(f"http://{LOOPBACK}:{api_port}{_SAME_BODY}", bearer)
        file = folder / "body.json"
        file.write_bytes(body)
        bare = [sys.executable, "-m", "benchmarks.bare_app", str(bare_port), str(file)]
        with _running((bare, dict(os.environ))):
            _await(f"http://{LOOPBACK}:{bare_port}{BARE}", {})
            counted = dict.fromkeys((BARE, *_PATHS), 0)
            for _ in range(_ROUNDS):
                for path in counted:
                    port = bare_port if path == BARE else api_port
                    counted[path] += await _count(port, path, bearer)
    return {path: count / (_ROUNDS * _ROUND_S) for path, count in counted.items()}


async def _count(port: int, path: str, headers: dict[str, str]) -> int:
    """Return how many requests are answered in a round, over connections that stay open."""
    lines = [f"GET {path} HTTP/1.1", "Host: bench", *(f"{k}: {v}" for k, v in headers.items())]
    asked = ("\r\n".join(lines) + "\r\n\r\n").encode()
    end = time.perf_counter() + _ROUND_S
    return sum(await asyncio.gather(*(_ask(port, asked, end) for _ in range(_CONNECTIONS))))


async def _ask(port: int, asked: bytes, end: float) -> int:
    reader, writer = await asyncio.open_connection(LOOPBACK, port)
    answered = 0
    while time.perf_counter() < end:
        writer.write(asked)
        head = await reader.readuntil(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 200"), head
        _, _, after = head.lower().partition(b"content-length: ")
        await reader.readexactly(int(after.partition(b"\r\n")[0]))
        answered += 1
    writer.close()
    await writer.wait_closed()
    return answered


def _token() -> str:
    expected = TokenSettings(environment="production").expected
    return make_token(
        _SECRET.encode(),
        subject="bench",
        scopes=ALL_SCOPES,
        expected=expected,
        now=time.time(),
        lifetime_s=3600,
    )


def _api(
    port: int, settings: RegistrySettings, folder: Path
) -> tuple[Sequence[str], dict[str, str]]:
    environment = os.environ | {
        "NIGHTSHIFT_API_PORT": str(port),
        "NIGHTSHIFT_DATABASE_URL": settings.database_url,
        "NIGHTSHIFT_DATA_DIR": str(folder),
        "NIGHTSHIFT_ENVIRONMENT": "production",
        "NIGHTSHIFT_JWT_SECRET": _SECRET,
        "NIGHTSHIFT_QUOTA_SUBJECT": "1000000/1",
    }
    return [sys.executable, "-m", "cli.main", "serve"], environment


@contextlib.contextmanager
def _running(command: tuple[Sequence[str], dict[str, str]]) -> Iterator[None]:
    words, environment = command
    process = subprocess.Popen(words, env=environment, stdout=subprocess.DEVNULL)
    try:
        yield
    finally:
        process.terminate()
        process.wait(timeout=_START_S)


def _await(url: str, headers: dict[str, str]) -> bytes:
    """Return the body once the server answers."""
    end = time.monotonic() + _START_S
    while True:
        try:
            with urlopen(Request(url, headers=headers)) as answer:
                body: bytes = answer.read()
                return body
        except OSError:
            if time.monotonic() > end:
                raise
            time.sleep(0.1)
