"""Run jobs, each in a process of its own that is forked off when everything is imported.

Each line of the input asks for one: `{"job": {…}, "settings": {…}, "point": null}`, where settings
are environment variables. Two lines answer: the process's id, then its exit status, negative when a
signal ended it. With a point, `["after:put:part", 2]`, the process kills itself at the third such
operation on its local output, named as in `tests.faults.failpoints`: Python tells an audit hook of
each link and removal before it is done, whichever code does it. `after` is the first thing that the
same thread does next.
"""

import json
import os
import signal
import sys
import threading
from pathlib import Path
from typing import Any

import flows.shards.object_store_s3  # noqa: F401  (imported ahead of the forks)
from flows.launch import run_here
from inference.jobs import BatchJob
from tests.faults.failpoints import object_of

_OPERATIONS = {"os.link": ("put", 1), "os.remove": ("delete", 0)}
"""What is audited, with the argument that names the object."""


class Death:
    """Ends the process at a fail-point, as a power cut would."""

    def __init__(self, point: str, skip: int, root: Path) -> None:
        self._when, _, self._what = point.partition(":")
        self._skip = skip
        self._root = f"{root}/"
        self._thread: int | None = None

    def __call__(self, event: str, arguments: tuple[Any, ...]) -> None:
        if self._thread == threading.get_ident():
            self._end()
        if event not in _OPERATIONS or self._name(event, arguments) != self._what:
            return
        if self._skip:
            self._skip -= 1
        elif self._when == "before":
            self._end()
        else:
            self._thread = threading.get_ident()

    def _name(self, event: str, arguments: tuple[Any, ...]) -> str:
        operation, place = _OPERATIONS[event]
        key = os.fsdecode(arguments[place]).removeprefix(self._root)
        return f"{operation}:{object_of(key)}"

    def _end(self) -> None:
        self._thread = None  # killing is audited as well
        os.kill(os.getpid(), signal.SIGKILL)


def _run(asked: dict[str, Any]) -> None:
    job = BatchJob.model_validate(asked["job"])
    os.environ.update(asked["settings"])
    if asked["point"]:
        name, skip = asked["point"]
        sys.addaudithook(Death(name, skip, Path(job.output)))
    run_here(job)


def main() -> None:
    """Fork a process for each line of the input; in one, do what the line asks for."""
    for line in sys.stdin:
        pid = os.fork()
        if pid == 0:
            return _run(json.loads(line))
        _say(pid)
        _say(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
    return None


def _say(number: int) -> None:
    os.write(1, f"{number}\n".encode())


if __name__ == "__main__":
    main()
