"""What a person is told of a platform."""

import subprocess
from io import StringIO

from rich.console import Console
from rich.table import Table

from cli.up.identity import Identity
from cli.up.record import Running
from cli.up.view import export_lines, ready_table, status_table

_SERVERS = (
    Running("API", "http://127.0.0.1:8080/docs", 8080, Identity(11, 1), "api.log"),
    Running("worker 1", "", None, Identity(12, 2), "worker-1.log"),
)


def _lines(made: Table) -> list[list[str]]:
    """Return the cells of each line, separated by two spaces or more."""
    console = Console(file=StringIO(), width=100)
    console.print(made)
    assert isinstance(console.file, StringIO)
    lines = [line.strip() for line in console.file.getvalue().splitlines()]
    return [[cell.strip() for cell in line.split("   ") if cell.strip()] for line in lines if line]


def test_says_where_each_server_is() -> None:
    """A worker has no address."""
    header, _, *rows = _lines(ready_table(_SERVERS, {"API": 3.14, "worker 1": 7}))
    assert header == ["server", "address", "ready after"]
    assert rows == [["API", "http://127.0.0.1:8080/docs", "3.1 s"], ["worker 1", "7.0 s"]]


def test_says_how_each_server_is() -> None:
    """With the process to look at."""
    states = {"API": "running", "worker 1": "ended"}
    header, _, *rows = _lines(status_table(_SERVERS, states))
    assert header == ["server", "state", "address", "process"]
    assert rows == [
        ["API", "running", "http://127.0.0.1:8080/docs", "11"],
        ["worker 1", "ended", "12"],
    ]


def test_a_shell_takes_the_settings_as_they_are() -> None:
    """Whatever a value holds, the shell has it afterwards, and runs nothing of it."""
    value = 'it\'s $HOME `id` "x"; two\nlines'
    script = "\n".join([*export_lines({"PLAIN": "grpc://a:1,b:2", "ODD": value}), "env -0"])
    run = subprocess.run(["/bin/sh", "-c", script], capture_output=True, text=True, check=True)
    found = dict(line.partition("=")[::2] for line in run.stdout.split("\0"))
    assert (found["PLAIN"], found["ODD"]) == ("grpc://a:1,b:2", value)
