"""Run real platforms for tests, by the command that a person types."""

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from cli.stack.process import free_ports
from cli.up import record
from cli.up.detached import LAST_WORDS
from cli.up.folder import UpFolder
from cli.up.identity import Identity, end_marked
from tests.conftest import ROOT

_OF_OTHERS = ("NIGHTSHIFT_", "PREFECT_")


@dataclass(frozen=True, slots=True)
class Site:
    """A folder in which a platform is run; its ports stay the same."""

    root: Path
    """The working folder of each command."""
    ports: tuple[int, int]
    """The API's and Prefect's."""
    triton_env: Path
    """The environment that carries Triton."""

    @property
    def folder(self) -> UpFolder:
        """Where the platform keeps its state."""
        return UpFolder(self.root / ".nightshift" / "up")

    @property
    def api_url(self) -> str:
        """Where the API is."""
        return f"http://127.0.0.1:{self.ports[0]}"

    def up(self, *options: str, **settings: object) -> "subprocess.CompletedProcess[str]":
        """Start the platform with `NIGHTSHIFT_…` settings; returns when it is ready, or is not."""
        api, prefect = map(str, self.ports)
        told = {f"NIGHTSHIFT_{name.upper()}": str(value) for name, value in settings.items()}
        ports = ("--port", api, "--prefect-port", prefect)
        return self.run("up", "--detach", *ports, *options, told=told)

    @contextmanager
    def in_foreground(self) -> "Iterator[subprocess.Popen[str]]":
        """Start the platform as in a terminal, and give its process when it is ready."""
        api, prefect = map(str, self.ports)
        command = [sys.executable, "-m", "cli.main", "up", "--port", api, "--prefect-port", prefect]
        with subprocess.Popen(
            command,
            cwd=self.root,
            env=self._environment() | {"PYTHONUNBUFFERED": "1"},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        ) as process:
            assert process.stdout is not None
            told = []
            for line in process.stdout:
                told.append(line)
                if line.strip() == LAST_WORDS:
                    break
            assert process.poll() is None, "".join(told)
            yield process

    def run(
        self, *words: str, told: Mapping[str, str] | None = None
    ) -> "subprocess.CompletedProcess[str]":
        """Run `nightshift` with the words, in this folder, with what it is `told` by settings."""
        return subprocess.run(
            [sys.executable, "-m", "cli.main", *words],
            cwd=self.root,
            env={**self._environment(), **(told or {})},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
            timeout=600,
        )

    def _environment(self) -> dict[str, str]:
        outside = {k: v for k, v in os.environ.items() if not k.startswith(_OF_OTHERS)}
        own = {"NIGHTSHIFT_TRITON_ENV": str(self.triton_env.absolute()), "PYTHONPATH": str(ROOT)}
        return {**outside, **own, "COLUMNS": "160"}

    def settings(self) -> dict[str, str]:
        """Return what `nightshift status --env` has a shell know."""
        lines = self.run("status", "--env").stdout.splitlines()
        pairs = (line.removeprefix("export ").partition("=") for line in lines)
        return {name: value.strip("'") for name, _, value in pairs}

    def environment(self) -> Mapping[str, str]:
        """Return the same as the platform itself noted it, which has no token."""
        noted = record.read(self.folder.record)
        assert noted is not None
        return noted.environment

    def processes(self) -> dict[str, Identity]:
        """Return each server's process, and the supervisor's."""
        noted = record.read(self.folder.record)
        assert noted is not None
        servers = {each.name: each.process for each in noted.servers}
        return {"supervisor": noted.supervisor, **servers}


@contextmanager
def site(triton_env: Path) -> Iterator[Site]:
    """Give a folder that root's PostgreSQL, the user nobody, may go to; nothing outlives it."""
    with tempfile.TemporaryDirectory(prefix="nightshift-up-") as root:
        Path(root).chmod(0o711)
        api, prefect = free_ports(2)
        made = Site(Path(root), (api, prefect), triton_env)
        try:
            yield made
        finally:
            made.run("down")
            known = made.folder.known_secrets()
            if known is not None:
                end_marked(known.mark, grace_s=0)
