"""The API is restarted behind a load balancer: requests go on."""

import asyncio
import os
import signal
from contextlib import ExitStack
from itertools import count
from pathlib import Path

import pytest

from benchmarks.online.client import Client, Reply
from benchmarks.online.site import Api, running_api
from cli.stack.process import free_ports
from cli.stack.triton import LocalTriton
from tests.chaos.online.conftest import Terms, load_with, question, register
from tests.chaos.seeds import Chaos

pytestmark = [pytest.mark.triton, pytest.mark.chaos]

LOOK_S = 0.02


class Balancer:
    """Sends to the processes that say that they are ready, by turns, as a load balancer does."""

    def __init__(self, ports: tuple[int, ...]) -> None:
        self._clients = {port: Client(port) for port in ports}
        self._ready = dict.fromkeys(ports, True)
        self._turns = count()

    async def send(self, request: bytes) -> Reply:
        """Send to the next one that is ready, over a connection that is still open."""
        # Where none says that it is ready, all are tried, as load balancers do.
        ready = [port for port, is_ready in self._ready.items() if is_ready] or [*self._ready]
        return await self._clients[ready[next(self._turns) % len(ready)]].send(request)

    def close(self) -> None:
        """Close the connections."""
        for client in self._clients.values():
            client.close()

    async def watch(self) -> None:
        """Ask each for its readiness until cancelled."""
        look = b"GET /health/ready HTTP/1.1\r\nHost: balancer\r\nConnection: close\r\n\r\n"
        while True:
            for port in self._clients:
                looker = Client(port)
                try:
                    self._ready[port] = (await looker.send(look)).ok
                except (OSError, EOFError):
                    self._ready[port] = False
                    # What was open ended with the process.
                    self._clients[port].close()
            await asyncio.sleep(LOOK_S)


@pytest.mark.timeout(900)
@pytest.mark.long_form("six starts of processes; tests/api/gateway/test_draining.py has a sample")
async def test_the_api_is_restarted(tmp_path: Path, whole: list[LocalTriton], chaos: Chaos) -> None:
    """One of two processes after the other, behind a balancer that heeds readiness: 0 failed."""
    restarts = chaos.count(20, sample=1)
    register(tmp_path)
    ports = free_ports(2)
    urls = [server.grpc_url for server in whole]
    terms = Terms.of(chaos)
    more = terms.quick | {"NIGHTSHIFT_API_DRAIN_NOTICE_S": str(terms.notice_s)}
    with ExitStack() as running:
        stacks: dict[int, ExitStack] = {}
        processes: dict[int, Api] = {}

        def start(port: int) -> None:
            stacks[port] = running.enter_context(ExitStack())
            api = running_api(tmp_path, urls, port=port, more=more)
            processes[port] = stacks[port].enter_context(api)

        for port in ports:
            start(port)
        balancer = Balancer(ports)
        request, expected = question(2, terms)

        async def roll() -> None:
            for turn in range(restarts):
                port = ports[turn % 2]
                os.kill(processes[port].pid, signal.SIGTERM)
                # A second signal would end it at once.
                await asyncio.to_thread(processes[port].process.wait)
                await asyncio.to_thread(stacks[port].close)
                await asyncio.to_thread(start, port)
                await asyncio.sleep(0.5)

        async with asyncio.TaskGroup() as group:
            watching = group.create_task(balancer.watch())
            rolling = group.create_task(roll())
            seen = await load_with(
                lambda: balancer.send(request), expected, terms, seconds=restarts * 8.0
            )
            await rolling
            watching.cancel()
        balancer.close()
    chaos.tell(f"{restarts} restarts, {seen}")
    assert (seen.failed, seen.wrong) == (0, 0), str(seen)
