"""Run one of our own programs as a server, for this process's life."""

import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Self

from cli.stack.process import READY_DEADLINE_S, GuardedProcess, LocalServer


class LocalProgram(LocalServer):
    """A program that is ready when `ready` says so. It never outlives this process."""

    def __init__(
        self,
        name: str,
        command: Sequence[str | os.PathLike[str]],
        *,
        env: Mapping[str, str],
        log: Path,
        ready: Callable[[], bool],
        grace_s: float,
        ready_deadline_s: float = READY_DEADLINE_S,
    ) -> None:
        """Describe the program; nothing runs before `start`.

        `grace_s` is how long it may take to end after TERM. The deadline is several times the
        slowest start seen on two busy cores.
        """
        super().__init__(name)
        self._command = command
        self._env = env
        self._log = log
        self._ready = ready
        self._grace_s = grace_s
        self._ready_deadline_s = ready_deadline_s

    def start(self) -> Self:
        """Start the program; returns when it is ready. Raises `ServerEnded`, `ServerNotReady`."""
        self._process = GuardedProcess(
            self._name, self._command, log=self._log, env=self._env, grace_s=self._grace_s
        )
        self._process.start()
        self._process.await_ready(self._ready, deadline_s=self._ready_deadline_s)
        return self
