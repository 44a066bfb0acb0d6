"""Stand between clients and a real HTTP server to spoil what passes, by rule.

Whole requests are taken, then passed on; whole answers are taken, then given back. So a rule can
say exactly what the server has done when the client is left alone.
"""

import asyncio
import re
import threading
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass, replace
from types import TracebackType

from tests.faults.http_messages import Message, read_answer, read_request

_MAX_HEAD_BYTES = 2**16
_SLICES_PER_S = 50


class Gate:
    """A place where a message waits until the test lets it go on."""

    def __init__(self) -> None:
        self.reached = threading.Event()
        """Set when a message waits here."""
        self.opened = threading.Event()
        """Set it to let messages go on."""

    async def pass_through(self) -> None:
        """Wait until it is open."""
        self.reached.set()
        while not self.opened.is_set():
            await asyncio.sleep(0.005)


@dataclass(frozen=True, slots=True)
class Fault:
    """What happens to a request or to its answer; what is not set does not happen."""

    strip: str = ""
    """Header of the request that the server never sees."""
    request_delay_s: float = 0.0
    """Before the server gets the request, which arrives although the client may have left."""
    request_gate: Gate | None = None
    """Where the request waits before the server gets it."""
    request_share: float = 1.0
    """Share of the request's body that the server gets before the connection ends; 0: the server
    hears nothing of the request."""
    refuse: int = 0
    """Status with which to answer in the place of the server."""
    answer_status: int = 0
    """Status that the client is told in the place of what the server answered."""
    answer_delay_s: float = 0.0
    """After the server has answered."""
    answer_gate: Gate | None = None
    """Where the answer waits after the server has given it."""
    answer_share: float = 1.0
    """Share of the answer that the client gets before the connection ends; 0: nothing."""
    bytes_per_s: float = 0.0
    """Rate at which the answer goes to the client; 0: at once."""


DROPPED_ANSWER = Fault(answer_share=0.0)
"""The server does what it is asked, and nobody is told."""
LOST_REQUEST = Fault(request_share=0.0)
"""The server never hears of it."""


@dataclass(frozen=True, slots=True)
class Rule:
    """Which requests meet a fault."""

    fault: Fault
    """What happens to them."""
    method: str = ""
    """The request's method; empty for every one."""
    target: str = ""
    """Pattern to find in path and query."""
    skip: int = 0
    """Such requests that pass unharmed first."""
    times: int | None = 1
    """Requests that are harmed then; None for all."""

    def fits(self, request: Message) -> bool:
        """Whether the request is of the kind."""
        return self.method in ("", request.method) and bool(re.search(self.target, request.target))


@dataclass(frozen=True, slots=True)
class Passage:
    """One request that came by."""

    method: str
    """Its method."""
    target: str
    """Path and query."""
    rule: Rule | None
    """The rule that harmed it."""
    status: int | None
    """The server's answer; None when it was not asked, or gave none."""


class FaultProxy:
    """A server on loopback that passes HTTP/1.1 on to `server`, for as long as the `with` lasts.

    Rules are asked in their order; the first that fits and is not used up applies. More may be
    added at any time, from any thread. What goes wrong in the proxy itself is raised at the end.
    """

    def __init__(self, server: str, rules: Iterable[Rule] = ()) -> None:
        host, _, port = server.removeprefix("http://").partition(":")
        self._server = (host, int(port))
        self._rules = [_Counted(rule) for rule in rules]
        self._passages: list[Passage] = []
        self._under_way = 0
        self._changed = threading.Condition()
        self._connections: set[asyncio.Task[None]] = set()
        self._failures: list[Exception] = []
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="fault-proxy")
        self.url = ""
        """Where clients go."""

    def __enter__(self) -> "FaultProxy":
        self._thread.start()
        starting = asyncio.start_server(self._accept, "127.0.0.1", 0, limit=_MAX_HEAD_BYTES)
        self._listener = asyncio.run_coroutine_threadsafe(starting, self._loop).result()
        self.url = f"http://127.0.0.1:{self._listener.sockets[0].getsockname()[1]}"
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        asyncio.run_coroutine_threadsafe(self._stop(), self._loop).result()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()
        if self._failures and error is None:
            raise self._failures[0]

    def add(self, *rules: Rule) -> None:
        """Ask these rules too, after the others."""
        with self._changed:
            self._rules += [_Counted(rule) for rule in rules]

    def passages(self) -> list[Passage]:
        """Return what came by, in the order in which the server had done with it."""
        with self._changed:
            return list(self._passages)

    def harmed(self) -> list[Passage]:
        """Return what met a rule, in the same order."""
        return [passage for passage in self.passages() if passage.rule is not None]

    def settle(self, *, within_s: float = 30.0) -> None:
        """Wait until nothing is on its way any more, late requests included."""
        with self._changed:
            if not self._changed.wait_for(lambda: self._under_way == 0, within_s):
                raise TimeoutError(f"{self._under_way} requests on their way after {within_s} s")

    async def _stop(self) -> None:
        self._listener.close()
        for connection in self._connections:
            connection.cancel()
        await asyncio.gather(*self._connections, return_exceptions=True)

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._connections.add(task)
        try:
            while (request := await read_request(reader, writer)) is not None:
                if not await self._serve(request, writer):
                    return
        except Exception as error:  # noqa: BLE001 - raised again in the test's own thread
            self._failures.append(error)
        finally:
            self._connections.discard(task)
            writer.close()

    async def _serve(self, request: Message, writer: asyncio.StreamWriter) -> bool:
        """Take a request to its end; whether the connection stays."""
        with self._changed:
            self._under_way += 1
            rule = next((one.rule for one in self._rules if one.applies(request)), None)
        fault = rule.fault if rule else Fault()
        try:
            answer = await self._ask(request, fault)
            status = answer.status if answer else None
            # Noted first: who has an answer may ask at once what came by.
            with self._changed:
                self._passages.append(Passage(request.method, request.target, rule, status))
            if answer is None:
                return False
            told = _refusal(fault.answer_status) if fault.answer_status else answer
            return await _give(told, fault, writer)
        finally:
            with self._changed:
                self._under_way -= 1
                self._changed.notify_all()

    async def _ask(self, request: Message, fault: Fault) -> Message | None:
        """Have the request answered; None when no answer will come."""
        await _wait(fault.request_delay_s, fault.request_gate)
        if fault.refuse:
            return _refusal(fault.refuse)
        if fault.request_share == 0.0:
            return None
        kept = request.without(b"connection", fault.strip.lower().encode())
        told = replace(kept, headers=(*kept.headers, (b"connection", b"close")))
        missing = len(told.body) - int(len(told.body) * fault.request_share)
        data = bytes(told)
        try:
            reader, writer = await asyncio.open_connection(*self._server)
            try:
                writer.write(data[: len(data) - missing])
                await writer.drain()
                return None if missing else await read_answer(reader, method=request.method)
            finally:
                writer.close()
        except (OSError, asyncio.IncompleteReadError):
            return None


class _Counted:
    """A rule with the requests that it has met."""

    def __init__(self, rule: Rule) -> None:
        self.rule = rule
        self._met = 0

    def applies(self, request: Message) -> bool:
        """Whether it harms this request, which counts from here on."""
        rule = self.rule
        if not rule.fits(request):
            return False
        if rule.times is not None and self._met >= rule.skip + rule.times:
            return False
        self._met += 1
        return self._met > rule.skip


async def _give(answer: Message, fault: Fault, writer: asyncio.StreamWriter) -> bool:
    """Pass an answer to the client; whether it was all."""
    await _wait(fault.answer_delay_s, fault.answer_gate)
    whole = bytes(answer.without(b"connection"))
    data = whole[: int(len(whole) * fault.answer_share)]
    step = int(fault.bytes_per_s / _SLICES_PER_S) or len(data) or 1
    with suppress(ConnectionError):
        for start in range(0, len(data), step):
            writer.write(data[start : start + step])
            await writer.drain()
            if start + step < len(data):
                await asyncio.sleep(1 / _SLICES_PER_S)
        return len(data) == len(whole)
    return False


async def _wait(delay_s: float, gate: Gate | None) -> None:
    if delay_s:
        await asyncio.sleep(delay_s)
    if gate is not None:
        await gate.pass_through()


def _refusal(status: int) -> Message:
    """Refuse as S3 does when it wants to be asked more slowly."""
    body = (
        b"<Error><Code>SlowDown</Code><Message>Please reduce your request rate.</Message></Error>"
    )
    headers = ((b"content-type", b"application/xml"), (b"content-length", b"%d" % len(body)))
    return Message(b"HTTP/1.1 %d Refused" % status, headers, body)
