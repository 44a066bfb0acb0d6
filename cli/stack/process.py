"""Start, await and stop one local server under its guard."""

import os
import socket
import subprocess
import sys
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Self, TypeVar

from cli.stack.errors import PortTaken, ServerEnded, ServerNotReady

T = TypeVar("T")

LOOPBACK = "127.0.0.1"
_GUARD = Path(__file__).with_name("guard.py")
READY_DEADLINE_S = 300.0
"""How long a server may take to start: one that ends is told of at once, a machine may be slow."""
_POLL_S = 0.05
_LAST_LINES = 5
# What the guard itself may need beyond the server's grace to kill, reap and sweep.
_GUARD_SLACK_S = 5.0


def free_ports(count: int) -> tuple[int, ...]:
    """Return `count` different ports that were free on loopback a moment ago."""
    with ExitStack() as held:
        sockets = [held.enter_context(socket.socket()) for _ in range(count)]
        for listener in sockets:
            listener.bind((LOOPBACK, 0))
        return tuple(listener.getsockname()[1] for listener in sockets)


def port_is_free(port: int) -> bool:
    """Say whether a server could listen on `port` of loopback now."""
    with socket.socket() as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((LOOPBACK, port))
        except OSError:
            return False
    return True


def require_free(name: str, ports: Iterable[int]) -> None:
    """Raise `PortTaken` for the first of `ports` that cannot be listened on."""
    for port in ports:
        if not port_is_free(port):
            raise PortTaken(name, port)


def listen_on(name: str, port: int | None) -> socket.socket:
    """Return a socket bound to `port` of loopback, any free one for None; raises `PortTaken`."""
    listener = socket.socket()
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((LOOPBACK, port or 0))
    except OSError as error:
        listener.close()
        raise PortTaken(name, port or 0) from error
    return listener


class Startable(ABC):
    """What runs between `start` and `stop`, or as long as a `with` block."""

    @abstractmethod
    def start(self) -> object:
        """Have it running."""

    @abstractmethod
    def stop(self) -> None:
        """End it; safe to repeat."""

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.stop()


class GuardedProcess(Startable):
    """A server process that ends with this one, however this one ends."""

    def __init__(
        self,
        name: str,
        command: Sequence[str | os.PathLike[str]],
        *,
        log: Path,
        env: Mapping[str, str],
        grace_s: float,
        shm_prefix: str = "",
        held: Sequence[int] = (),
    ) -> None:
        """Describe the server; nothing runs before `start`.

        `grace_s` is how long it may take to end after TERM before it is killed. Regions in
        /dev/shm whose names begin with `shm_prefix` are removed when it has ended. The file
        descriptors in `held`, locks for example, stay open until then.
        """
        self.name = name
        self.log = log
        self._command = [os.fspath(part) for part in command]
        self._env = dict(env)
        self._grace_s = grace_s
        self._shm_prefix = shm_prefix
        self._held = tuple(held)
        self._guard: subprocess.Popen[bytes] | None = None
        self._pid: int | None = None

    @property
    def pid(self) -> int:
        """The server's own process id, not its guard's."""
        if self._pid is None:
            raise RuntimeError(f"{self.name} was not started")
        return self._pid

    def start(self) -> None:
        """Start the server; returns as soon as its process exists."""
        self.log.parent.mkdir(parents=True, exist_ok=True)
        guard = [sys.executable, "-S", "-E", str(_GUARD), "--grace", str(self._grace_s)]
        if self._shm_prefix:
            guard += ["--shm-prefix", self._shm_prefix]
        with self.log.open("wb") as log:
            self._guard = subprocess.Popen(
                [*guard, "--", *self._command],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                env=self._env,
                start_new_session=True,
                pass_fds=self._held,
            )
        assert self._guard.stdout is not None
        with self._guard.stdout as answer:
            line = answer.readline()
        if not line:
            status = self._guard.wait()
            raise ServerEnded(self.name, status, self.log, self.last_lines())
        self._pid = int(line)

    def status(self) -> int | None:
        """Return the exit status, or None while the server runs."""
        return None if self._guard is None else self._guard.poll()

    def await_ready(self, ready: Callable[[], bool], *, deadline_s: float) -> None:
        """Wait until `ready()`; whatever ends the wait before ends the server.

        Raises `ServerEnded` or, after `deadline_s`, `ServerNotReady`.
        """
        try:
            self._await_ready(ready, deadline_s)
        except BaseException:
            self.stop()
            raise

    def _await_ready(self, ready: Callable[[], bool], deadline_s: float) -> None:
        deadline = time.monotonic() + deadline_s
        while not ready():
            self._raise_if_ended()
            if time.monotonic() > deadline:
                raise ServerNotReady(self.name, deadline_s, self.log, self.last_lines())
            time.sleep(_POLL_S)
        self._raise_if_ended()

    def _raise_if_ended(self) -> None:
        status = self.status()
        if status is not None:
            raise ServerEnded(self.name, status, self.log, self.last_lines())

    def stop(self) -> None:
        """End the server with all its children; safe to repeat."""
        if self._guard is None:
            return
        assert self._guard.stdin is not None
        self._guard.stdin.close()
        try:
            self._guard.wait(self._grace_s + _GUARD_SLACK_S)
        except subprocess.TimeoutExpired:
            # The guard's death kills the server (PR_SET_PDEATHSIG).
            self._guard.kill()
            self._guard.wait()

    def last_lines(self) -> str:
        """Return on one line what the log says of an error, else how it ends."""
        try:
            text = self.log.read_text(errors="replace")
        except FileNotFoundError:
            return "(no log)"
        lines = [line.strip() for line in text.splitlines() if line.strip()]
        errors = [line for line in lines if line.lower().startswith("error:")]
        return " | ".join(errors[-1:] or lines[-_LAST_LINES:]) or "(nothing)"


class LocalServer(Startable):
    """A server of its own under a guard."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._process: GuardedProcess | None = None

    @property
    def pid(self) -> int:
        """The server's own process id, not its guard's."""
        return self._known(self._process).pid

    def status(self) -> int | None:
        """Return the exit status, or None while the server runs or was not started."""
        return None if self._process is None else self._process.status()

    def stop(self) -> None:
        """End the server; what it keeps on disk stays. Safe to repeat."""
        if self._process is not None:
            self._process.stop()

    def _known(self, value: T | None) -> T:
        """Return what is known once the server was started."""
        if value is None:
            raise RuntimeError(f"{self._name} was not started")
        return value


class OnePortServer(LocalServer):
    """A server of its own that listens on one port of loopback."""

    def __init__(self, name: str, *, port: int | None) -> None:
        """Nothing runs before `start`. Without `port` a free one is taken, and kept."""
        super().__init__(name)
        self._wanted_port = port
        self._port = port

    @property
    def port(self) -> int:
        """Where it listens; known once started."""
        return self._known(self._port)

    def _require_port(self) -> None:
        """Raise `PortTaken` when somebody else listens where it shall."""
        if self._wanted_port is not None:
            require_free(self._name, (self._wanted_port,))

    def _take_port(self) -> None:
        """Have a port to listen on."""
        if self._port is None:
            (self._port,) = free_ports(1)

    def _run(
        self, process: GuardedProcess, ready: Callable[[], bool], *, deadline_s: float
    ) -> None:
        """Start the process and await that it is ready."""
        self._process = process
        process.start()
        process.await_ready(ready, deadline_s=deadline_s)
