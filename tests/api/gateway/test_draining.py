"""Draining: whoever was let in is answered, and nobody new is asked for."""

import os
import signal
import socket
import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from random import Random

import httpx
import pytest

from cli.stack.process import LOOPBACK, free_ports
from tests.api import tokens
from tests.api.gateway.probe import Probe, probe
from tests.chaos.seeds import Chaos
from tests.cli.stack.processes import eventually, runs

CALLERS = 8


class Balancer:
    """Sends requests to the process while it says that it is ready, as a load balancer does."""

    def __init__(self, running: Probe) -> None:
        self._running = running
        self._sends = threading.Event()
        self._sends.set()
        self.seen: list[object] = []

    def watch(self) -> None:
        """Ask for readiness until it is gone."""
        with httpx.Client(base_url=self._running.url, timeout=60) as client:
            while "server" not in _missing(client):
                time.sleep(0.02)
        self._sends.clear()

    def call(self, ms: int) -> None:
        """Send requests over one connection for as long as they are welcome."""
        headers = tokens.bearer()
        with httpx.Client(base_url=self._running.url, headers=headers, timeout=60) as client:
            while self._sends.is_set():
                try:
                    self.seen.append(client.get(f"/probe/slow/{ms}").status_code)
                except httpx.HTTPError as error:
                    self.seen.append(repr(error))


def _missing(client: httpx.Client) -> set[str]:
    answer = client.get("/health/ready").json()
    return {each["name"] for each in answer.get("missing", [])}


@pytest.mark.chaos
def test_no_request_fails_over_restarts(tmp_path: Path, chaos: Chaos) -> None:
    """Under load, on one port, at any moment: each request that was sent is answered."""
    random = chaos.random()
    (port,) = free_ports(1)
    restarts = chaos.count(20, sample=1)
    total = Counter(each for _ in range(restarts) for each in restart(tmp_path, port, random))
    chaos.tell(f"{restarts} restarts, {total[200]} requests, {total.total() - total[200]} failed")
    assert set(total) == {200}
    assert total[200] >= restarts * CALLERS


def restart(folder: Path, port: int, random: Random) -> list[object]:
    """Start the process, end it under load; return what its callers got."""
    with (
        probe(folder, port=port, API_DRAIN_NOTICE_S="3") as running,
        ThreadPoolExecutor(CALLERS + 1) as threads,
    ):
        balancer = Balancer(running)
        watching = threads.submit(balancer.watch)
        calling = [threads.submit(balancer.call, random.randrange(300)) for _ in range(CALLERS)]
        assert eventually(lambda: len(balancer.seen) >= CALLERS, within_s=60)
        time.sleep(random.uniform(0, 0.5))
        os.kill(running.pid, signal.SIGTERM)
        for each in (watching, *calling):
            each.result(timeout=60)
        assert eventually(lambda: not runs(running.pid), within_s=60)
        return balancer.seen


def test_what_is_under_way_at_the_signal_is_finished(tmp_path: Path) -> None:
    """Readiness says no at once, answers end their connections, then nobody listens."""
    go = tmp_path / "go"
    with (
        probe(tmp_path, API_DRAIN_NOTICE_S="600", API_DRAIN_S="100") as running,
        httpx.Client(base_url=running.url, timeout=60) as client,
        ThreadPoolExecutor(1) as threads,
    ):
        held = f"{running.url}/probe/held?until={go}"
        slow = threads.submit(httpx.get, held, headers=tokens.bearer(), timeout=60)
        assert eventually(lambda: _in_flight(client) == 2, within_s=60)
        os.kill(running.pid, signal.SIGTERM)
        assert eventually(lambda: "server" in _missing(client), within_s=60)
        live = client.get("/health/live")
        assert (live.status_code, live.headers["connection"]) == (200, "close")
        os.kill(running.pid, signal.SIGTERM)  # the notice has been seen
        assert eventually(lambda: not _listens(running.port), within_s=60)
        assert not slow.done()
        go.touch()
        assert slow.result(timeout=60).status_code == 200
        assert eventually(lambda: not runs(running.pid), within_s=60)


def _in_flight(client: httpx.Client) -> float:
    lines = client.get("/metrics").text.splitlines()
    name = "nightshift_http_requests_in_flight "
    return next(float(line.removeprefix(name)) for line in lines if line.startswith(name))


def _listens(port: int) -> bool:
    try:
        socket.create_connection((LOOPBACK, port), timeout=60).close()
    except ConnectionRefusedError:
        return False
    return True
