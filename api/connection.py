"""Speak HTTP/1.1 with one client."""

import asyncio
import time
from typing import Any, cast
from urllib.parse import unquote

import h11
from uvicorn.protocols.http.flow_control import service_unavailable
from uvicorn.protocols.http.h11_impl import H11Protocol, RequestResponseCycle

from api.plain_cycle import PlainCycle
from api.plain_heads import LONGEST_HEAD, PlainHead, plain_head

_END = b"\r\n\r\n"


class Connection(H11Protocol, asyncio.BufferedProtocol):
    """uvicorn's connection, but for plain requests, and with an eye on the time.

    A request whose head came in one piece and is as almost all are is answered without h11, which
    takes longer for the head than the application does for the request. All others are h11's: half
    a head, one that announces something unusual, one that is wrong.
    """

    def __init__(self, *, scratch: memoryview, **theirs: Any) -> None:
        """`scratch` is what the socket is read into; one serves all connections of a loop."""
        super().__init__(**theirs)
        self._scratch = scratch
        self._plain: PlainCycle | None = None
        self._behind = b""
        self._used_h11 = False
        self._waits_since: float | None = None
        self._answered: RequestResponseCycle | None = None

    def connection_made(  # type: ignore[override]  # as theirs: they want a narrower transport
        self, transport: asyncio.Transport
    ) -> None:
        """Wait for the first request from now on: uvicorn waits for it for ever."""
        super().connection_made(transport)
        self._waits_since = time.monotonic()

    def get_buffer(self, sizehint: int) -> memoryview:
        """Return what the socket is to be read into."""
        room = None if self._plain is None else self._plain.room
        return self._scratch if room is None else room

    def buffer_updated(self, nbytes: int) -> None:
        """Take what was read."""
        if self._plain is not None and self._plain.room is not None:
            self._unset_keepalive_if_required()
            self._plain.filled(nbytes)
        else:
            self.data_received(bytes(self._scratch[:nbytes]))

    def data_received(self, data: bytes) -> None:
        """Take what came.

        1. It belongs to the body of a plain request, or some of it does.
        2. A plain request is being answered: the next one waits, with its sender.
        3. It is a whole plain head, with what is behind it.
        4. Everything else is h11's, and so is what follows until that is answered.
        """
        self._unset_keepalive_if_required()
        plain = self._plain
        if plain is not None and plain.left:
            data = plain.add(data)
            self._forget_answered()
            if not data:
                return
        if self._plain is not None:
            self._behind += data
            self.flow.pause_reading()
        elif not self._begin(data):
            self._used_h11 = True
            super().data_received(data)

    def close_if_overdue(self, now: float, longest_s: float) -> None:
        """Close where a request began and goes no further, or none ever came.

        1. A request is being answered: how long its body may take is the gateway's to judge.
        2. Nothing came since the last answer: uvicorn closes that itself.
        3. Half a head, or half a body that was answered unread.
        """
        # Theirs is typed as if there were one from the start.
        cycle = cast(RequestResponseCycle | None, self.cycle)
        if cycle is not None and (not cycle.response_complete or self._has_nothing()):
            self._waits_since = None
            return
        if self._waits_since is None or self._answered is not cycle:
            self._answered, self._waits_since = cycle, now
        if now - self._waits_since > longest_s:
            self.transport.close()

    def _has_nothing(self) -> bool:
        """Say whether the caller has sent nothing that is not answered."""
        return self._plain is None and self._is_idle()

    def _is_idle(self) -> bool:
        """Say whether h11 has nothing."""
        return self.conn.their_state is h11.IDLE and not self.conn.trailing_data[0]

    def _begin(self, data: bytes) -> bool:
        """Begin to answer a plain request; say whether it is one."""
        if self._used_h11 and not self._is_idle():
            return False
        end = data.find(_END, 0, LONGEST_HEAD)
        head = plain_head(data[: end + len(_END)]) if end >= 0 else None
        if head is None:
            return False
        self._plain = self.cycle = self._cycle(head)
        behind = data[end + len(_END) :]
        if behind and head.body_bytes:
            behind = self._plain.add(behind)
        self._behind = behind
        if behind:
            self.flow.pause_reading()
        limit = self.limit_concurrency
        full = limit is not None and max(len(self.connections), len(self.tasks)) >= limit
        if full:
            self.logger.warning("Exceeded concurrency limit.")
        task = self.loop.create_task(
            self._plain.run_asgi(service_unavailable if full else self.app)
        )
        task.add_done_callback(self.tasks.discard)
        self.tasks.add(task)
        return True

    def _cycle(self, head: PlainHead) -> PlainCycle:
        raw_path, _, query = head.target.partition(b"?")
        self.headers = head.fields
        self.scope = {
            "type": "http",
            "asgi": {"version": self.asgi_version, "spec_version": "2.3"},
            "http_version": "1.1",
            "server": self.server,
            "client": self.client,
            "scheme": self.scheme or "http",
            "method": head.method,
            "root_path": self.root_path,
            "path": self.root_path + unquote(raw_path.decode("ascii")),
            "raw_path": self.root_path.encode("ascii") + raw_path,
            "query_string": query,
            "headers": head.fields,
            "state": self.app_state.copy(),
        }
        return PlainCycle(
            body_bytes=head.body_bytes,
            scope=self.scope,
            conn=self.conn,
            transport=self.transport,
            flow=self.flow,
            logger=self.logger,
            access_logger=self.access_logger,
            access_log=self.access_log,
            default_headers=self.server_state.default_headers,
            message_event=asyncio.Event(),
            on_response=self._plain_answered,
        )

    def _plain_answered(self) -> None:
        self.server_state.total_requests += 1
        if self.transport.is_closing():
            return
        self._unset_keepalive_if_required()
        self.timeout_keep_alive_task = self.loop.call_later(
            self.timeout_keep_alive, self.timeout_keep_alive_handler
        )
        self.flow.resume_reading()
        self._forget_answered()

    def _forget_answered(self) -> None:
        """Go on to what is behind a plain request, once it is answered and its body has come."""
        if self._plain is None or self._plain.left or not self._plain.response_complete:
            return
        self._plain = None
        behind, self._behind = self._behind, b""
        if behind:
            self.data_received(behind)
