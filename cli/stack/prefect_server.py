"""Run a kept Prefect server on loopback, for this process's life."""

import fcntl
import http.client
import os
import shutil
import sys
import tempfile
from pathlib import Path
from typing import IO, Self

from cli.stack.process import LOOPBACK, READY_DEADLINE_S, GuardedProcess, LocalServer, listen_on

_NAME = "Prefect"
_ROOT = Path(__file__).parents[2]
_DATABASE = "prefect.db"
_MARK = "prepared-for"

# Measured: with these the server records three times as many task runs a second.
_BATCHED_RECORDING = {
    "PREFECT_SERVER_SERVICES_TASK_RUN_RECORDER_READ_BATCH_SIZE": "50",
    "PREFECT_SERVER_SERVICES_TASK_RUN_RECORDER_BATCH_SIZE": "50",
    "PREFECT_SERVER_SERVICES_TASK_RUN_RECORDER_FLUSH_INTERVAL": "1",
    "PREFECT_SERVER_SERVICES_EVENT_PERSISTER_READ_BATCH_SIZE": "50",
}
_NOTHING_LEAVES_THIS_MACHINE = {
    "DO_NOT_TRACK": "1",
    "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
    "PREFECT_CLOUD_ENABLE_ORCHESTRATION_TELEMETRY": "false",
}

# Measured: a client reads its authorities anew each time, 30 ms that a job waits for three times.
_NO_TLS = {
    "PREFECT_API_SSL_CERT_FILE": str(Path(__file__).with_name("no_authority.pem")),
    "PREFECT_CLIENT_CSRF_SUPPORT_ENABLED": "false",  # what it would ask for is off in our server
}


def server_environment(home: Path) -> dict[str, str]:
    """Return the variables that make a Prefect server keep its state in `home`."""
    return {
        **_without_prefect(os.environ),
        **_BATCHED_RECORDING,
        **_NOTHING_LEAVES_THIS_MACHINE,
        "PREFECT_HOME": str(home),
        "PREFECT_PROFILES_PATH": str(home / "profiles.toml"),
        "PREFECT_API_DATABASE_CONNECTION_URL": f"sqlite+aiosqlite:///{home / _DATABASE}",
        "PREFECT_SERVER_LOGGING_LEVEL": "WARNING",
        "PREFECT_LOGGING_LEVEL": "WARNING",
        # Leases in memory leak their slot for good when the server restarts.
        "PREFECT_SERVER_CONCURRENCY_LEASE_STORAGE": (
            "prefect.server.concurrency.lease_storage.filesystem"
        ),
    }


def _without_prefect(environment: os._Environ[str]) -> dict[str, str]:
    """Leave out what the person set for Prefect elsewhere: it is not meant for this server."""
    return {k: v for k, v in environment.items() if not k.startswith("PREFECT_")}


class LocalPrefect(LocalServer):
    """A Prefect server on loopback whose history is kept in a folder. A context manager.

    The folder's database is a copy of the template that the set-up migrated; without one the
    first start migrates, some seconds longer. One server at a time uses a folder: while another
    does, `home-2` is taken, or the next free one. It never outlives this process.
    """

    def __init__(
        self,
        home: Path,
        *,
        template: Path | None = None,
        port: int | None = None,
        ready_deadline_s: float = READY_DEADLINE_S,
        grace_s: float = 5.0,
    ) -> None:
        """Describe the server; nothing runs before `start`. Without `port` a free one is taken.

        The deadline is three times the slowest start seen on two busy cores, with migrations.
        """
        super().__init__(_NAME)
        self._wanted_home = home.absolute()
        self._home = self._wanted_home
        self._template = template
        self._wanted_port = port
        self._port = port
        self._ready_deadline_s = ready_deadline_s
        self._grace_s = grace_s

    @property
    def home(self) -> Path:
        """Where its history is kept."""
        return self._home

    @property
    def port(self) -> int:
        """Where it listens; known once started."""
        return self._known(self._port)

    @property
    def url(self) -> str:
        """Where people look: the UI."""
        return f"http://{LOOPBACK}:{self.port}"

    @property
    def api_url(self) -> str:
        """`PREFECT_API_URL` of this server's clients."""
        return f"{self.url}/api"

    @property
    def log(self) -> Path:
        """What the server writes."""
        return self.home / "server.log"

    def client_environment(self) -> dict[str, str]:
        """Return what a process must have in its environment, before it imports Prefect.

        Its runs go to this server, and nothing of the person's own Prefect profile is used.
        """
        return {
            **_NOTHING_LEAVES_THIS_MACHINE,
            **_NO_TLS,
            "PREFECT_API_URL": self.api_url,
            "PREFECT_HOME": str(self.home),
            "PREFECT_PROFILES_PATH": str(self.home / "profiles.toml"),
            "PREFECT_SERVER_ALLOW_EPHEMERAL_MODE": "false",
        }

    def start(self) -> Self:
        """Start the server, await its health.

        Raises `PortTaken`, `ServerEnded` or `ServerNotReady`.
        """
        with self._take_home() as lock:
            self._start_in_home(lock)
        return self

    def _start_in_home(self, lock: IO[bytes]) -> None:
        prepared = self._bring_database()
        # The server inherits the socket: no other process can take the port in between.
        with listen_on(_NAME, self._wanted_port) as listener:
            self._port = listener.getsockname()[1]
            self._process = GuardedProcess(
                _NAME,
                [sys.executable, "-m", "cli.stack.prefect_app", "serve", str(listener.fileno())],
                log=self.log,
                env=self._environment(prepared),
                grace_s=self._grace_s,
                held=(lock.fileno(), listener.fileno()),
            )
            self._process.start()
        self._process.await_ready(self._is_healthy, deadline_s=self._ready_deadline_s)
        if not prepared and (mark := self._template_mark()):
            _copy_whole(mark, self.home / _MARK)

    def _environment(self, prepared: bool) -> dict[str, str]:
        environment = server_environment(self.home)
        environment["PREFECT_UI_API_URL"] = self.api_url
        environment["PYTHONPATH"] = str(_ROOT)
        if prepared:
            environment["PREFECT_API_DATABASE_MIGRATE_ON_START"] = "false"
            environment["PREFECT_API_BLOCKS_REGISTER_ON_START"] = "false"
        return environment

    def _take_home(self) -> IO[bytes]:
        """Lock the first folder that no other server uses.

        The server and its guard inherit the lock: it is free when the last of them has ended.
        """
        self._home = self._wanted_home
        number = 1
        while (lock := _lock_folder(self._home)) is None:
            number += 1
            self._home = self._wanted_home.with_name(f"{self._wanted_home.name}-{number}")
        return lock

    def _bring_database(self) -> bool:
        """Have a database in `home`; say whether the template's Prefect has migrated it."""
        mark = self._template_mark()
        if mark is None:
            return False
        own_mark = self.home / _MARK
        if not (self.home / _DATABASE).exists():
            _copy_whole(mark.with_name(_DATABASE), self.home / _DATABASE)
            _copy_whole(mark, own_mark)
        return own_mark.exists() and own_mark.read_bytes() == mark.read_bytes()

    def _template_mark(self) -> Path | None:
        """Return the file that names the template's Prefect, if there is a template."""
        if self._template is None or not (self._template / _MARK).exists():
            return None
        return self._template / _MARK

    def _is_healthy(self) -> bool:
        connection = http.client.HTTPConnection(LOOPBACK, self.port, timeout=2.0)
        try:
            connection.request("GET", "/api/health")
            return connection.getresponse().status == 200
        except (OSError, http.client.HTTPException):
            return False
        finally:
            connection.close()


def _lock_folder(folder: Path) -> IO[bytes] | None:
    """Return the lock of `folder`, made if need be; None when another process has it."""
    folder.mkdir(parents=True, exist_ok=True)
    lock = (folder / "server.lock").open("wb")
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        lock.close()
        return None
    return lock


def _copy_whole(source: Path, target: Path) -> None:
    """Copy so that `target` is never seen half-written."""
    with tempfile.TemporaryDirectory(dir=target.parent, prefix=".copy-") as temporary:
        copy = shutil.copyfile(source, Path(temporary) / target.name)
        Path(copy).rename(target)
