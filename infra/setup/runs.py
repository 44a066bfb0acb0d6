"""Run one program of the set-up, showing that it is alive."""

import os
import subprocess
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from infra.setup.errors import SetUpError, explain

_SIGN_OF_LIFE_S = 15.0
_SYSTEM_CERTIFICATES = (
    Path("/etc/ssl/certs/ca-certificates.crt"),
    Path("/etc/pki/tls/certs/ca-bundle.crt"),
    Path("/etc/ssl/cert.pem"),
)


@contextmanager
def progress(step: str) -> Iterator[None]:
    """Print the step's name, its seconds when it is done, and a sign of life in between."""
    started = time.monotonic()
    done = threading.Event()

    def tick() -> None:
        while not done.wait(_SIGN_OF_LIFE_S):
            print(f"    … {time.monotonic() - started:.0f} s", flush=True)

    print(f"  {step}", flush=True)
    ticker = threading.Thread(target=tick, daemon=True)
    ticker.start()
    try:
        yield
    finally:
        done.set()
        ticker.join()
    print(f"    done in {time.monotonic() - started:.1f} s", flush=True)


def run(step: str, command: Sequence[str | Path], env: Mapping[str, str] | None = None) -> str:
    """Run `command` to its end and return what it wrote; raises `SetUpError` if it fails."""
    try:
        done = subprocess.run(
            [os.fspath(part) for part in command],
            env={**os.environ, **(env or {})},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            check=False,
        )
    except OSError as error:
        raise SetUpError(f"{step} failed: cannot run {command[0]}: {error.strerror}") from error
    if done.returncode != 0:
        raise SetUpError(explain(step, done.stdout))
    return done.stdout


def trust() -> dict[str, str]:
    """Let uv trust what this machine trusts: networks with an authority of their own are common.

    A machine without certificates (a minimal container) gets the ones that uv carries.
    """
    if "UV_SYSTEM_CERTS" in os.environ or not any(file.exists() for file in _SYSTEM_CERTIFICATES):
        return {}
    return {"UV_SYSTEM_CERTS": "true"}
