"""A proxy before a real server that loses the answer to a request which the server carried out."""

import socket
import threading
from collections.abc import Callable
from types import TracebackType


class DroppingProxy:
    """Passes bytes on both ways; when armed, closes instead of passing on the next answer.

    `drop`: the bytes with which a request begins whose answer may be lost.
    """

    def __init__(self, server: str, *, drop: bytes) -> None:
        host, _, port = server.removeprefix("http://").partition(":")
        self._server = (host, int(port))
        self._drop = drop
        self._countdown: int | None = None
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        self.dropped = 0

    def arm(self, *, after: int = 0) -> None:
        """Lose the answer of the next such request, or of the one `after` some more."""
        self._countdown = after

    def __enter__(self) -> "DroppingProxy":
        self._start(self._accept)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        # A blocked accept() does not notice that its socket is closed.
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def _start(self, target: Callable[..., None], *args: object) -> None:
        threading.Thread(target=target, args=args, daemon=True).start()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            self._start(self._serve, client)

    def _serve(self, client: socket.socket) -> None:
        server = socket.create_connection(self._server)
        losing = threading.Event()
        self._start(self._answer, server, client, losing)
        with client, server:
            while data := _receive(client):
                if data.startswith(self._drop) and self._countdown is not None:
                    if self._countdown == 0:
                        losing.set()
                    self._countdown = self._countdown - 1 if self._countdown else None
                server.sendall(data)

    def _answer(
        self, server: socket.socket, client: socket.socket, losing: threading.Event
    ) -> None:
        while data := _receive(server):
            # An interim answer goes through; the final one may follow in the same bytes.
            interim = data.startswith(b"HTTP/1.1 100") and data.endswith(b"\r\n\r\n")
            if losing.is_set() and not (interim and data.count(b"HTTP/1.1 ") == 1):
                self.dropped += 1
                break
            client.sendall(data)
        try:
            client.shutdown(socket.SHUT_RDWR)
        except OSError:
            return


def _receive(source: socket.socket) -> bytes:
    try:
        return source.recv(2**16)
    except OSError:
        return b""
