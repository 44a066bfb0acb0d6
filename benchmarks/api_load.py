"""Count how many requests a second an API answers."""

import asyncio
import contextlib
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.request import Request, urlopen

from api.gateway.scopes import ALL_SCOPES
from api.gateway.settings import TokenSettings
from api.gateway.tokens import make_token
from cli.stack.process import LOOPBACK, free_ports
from registry.settings import RegistrySettings

_SECRET = "0123456789abcdef-of-this-benchmark-only"
PATHS = (
    "/v1/models/churn",
    "/v1/models/churn/versions/1",
    "/v1/models/churn/aliases/champion",
    "/v1/models",
    "/v1/models/many/versions",
    "/v1/pools",
    "/v1/pools/default",
)
"""What is read; a list gives its first page, of 50."""
_CONNECTIONS = 8
_ROUND_S = 0.8
_REPEATS = 5
_START_S = 30.0


@dataclass(frozen=True, slots=True)
class Rates:
    """How often a path was answered, repeat by repeat."""

    path: str
    """The path."""
    body_bytes: int
    """Length of its body."""
    ours: tuple[float, ...]
    """Requests a second of the API."""
    bare: tuple[float, ...]
    """The same of a bare FastAPI route that has the same body."""

    @property
    def shares(self) -> tuple[float, ...]:
        """The API's rate in that of the bare route, of the same repeat each."""
        return tuple(ours / bare for ours, bare in zip(self.ours, self.bare, strict=True))


async def rates(settings: RegistrySettings, folder: Path) -> list[Rates]:
    """Return how often the API's reads are answered, and a bare route beside each.

    They take turns, each with the machine to itself, so that all meet the same one; API and bare
    route swap places from one repeat to the next.
    """
    api_port, bare_port = free_ports(2)
    bearer = {"Authorization": f"Bearer {_token()}"}
    with _running(_api(api_port, settings, folder)):
        bodies = {path: _await(f"http://{LOOPBACK}:{api_port}{path}", bearer) for path in PATHS}
        file = folder / "bodies.json"
        file.write_text(json.dumps({path: json.loads(body) for path, body in bodies.items()}))
        bare = [sys.executable, "-m", "benchmarks.bare_app", str(bare_port), str(file)]
        with _running((bare, dict(os.environ))):
            for path in PATHS:
                _await(f"http://{LOOPBACK}:{bare_port}{path}", {})
            counted: dict[tuple[str, int], list[float]] = {}
            for repeat in range(-1, _REPEATS):
                for path in PATHS:
                    for port in (api_port, bare_port) if repeat % 2 else (bare_port, api_port):
                        rate = await _count(port, path, bearer) / _ROUND_S
                        if repeat >= 0:  # the first one only warms up
                            counted.setdefault((path, port), []).append(rate)
    return [
        Rates(
            path,
            len(bodies[path]),
            tuple(counted[path, api_port]),
            tuple(counted[path, bare_port]),
        )
        for path in PATHS
    ]


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
