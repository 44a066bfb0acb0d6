"""Look at a platform from another process."""

import socket

import httpx

from cli.stack.process import LOOPBACK
from cli.up.record import Record, Running

_WAIT_S = 1.0


def states(record: Record) -> dict[str, str]:
    """Say of each server whether it runs and takes connections."""
    return {server.name: _state(server) for server in record.servers}


def _state(server: Running) -> str:
    if not server.process.alive():
        return "ended"
    if server.port is None:
        return "running"
    try:
        socket.create_connection((LOOPBACK, server.port), timeout=_WAIT_S).close()
    except OSError:
        return "not answering"
    return "running"


def demo_token(api_url: str) -> str | None:
    """Return a new demo token; None when the API does not give one."""
    try:
        answer = httpx.get(f"{api_url}/v1/token/demo", timeout=5)
        return str(answer.raise_for_status().json()["token"])
    except (httpx.HTTPError, ValueError, KeyError):
        return None
