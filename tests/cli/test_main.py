"""Check the edge of the process: exit codes, one-line errors, a fast start."""

import errno
import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import typer
from pydantic import BaseModel
from typer.testing import CliRunner

from cli.main import Edge, app
from flows.errors import JobError
from inference.errors import ServerUnreachable
from registry.domain import check_name
from registry.settings import RegistrySettings
from tests.cli.conftest import Command

ROOT = Path(__file__).parents[2]
INTERRUPTED = "interrupted: run the same command again, it continues\n"


class Named(BaseModel):
    """Something that can be invalid."""

    name: str


def failing(error: BaseException) -> typer.Typer:
    """Return a program whose one command fails with `error`."""
    program = typer.Typer(cls=Edge, rich_markup_mode=None, pretty_exceptions_enable=False)

    @program.command()
    def fail() -> None:
        raise error

    @program.callback()
    def nothing() -> None:
        """Makes it a program of commands."""

    return program


def caught(call: Callable[..., object], *arguments: object) -> ValueError:
    """Return what the call raises."""
    try:
        call(*arguments)
    except ValueError as error:
        return error
    raise AssertionError("nothing was raised")


def expected_failures() -> Iterator[tuple[BaseException, str]]:
    """One error of each kind, with the line that a person shall read."""
    yield ServerUnreachable("no server\n  at x: start it"), "no server at x: start it"
    yield JobError("the job is odd"), "the job is odd"
    yield JobError(), "JobError"
    yield JobError("give --keep (the job's keep), or mend it"), "give --keep, or mend it\n"
    yield caught(check_name, "a/b", "model"), "model name 'a/b' is not allowed: use 1 to 128"
    yield (
        OSError(errno.ENOSPC, "No space left on device", "x"),
        "x: No space left on device: free some space, then run the command again",
    )
    yield (
        OSError(errno.EXDEV, "Invalid cross-device link", "a\nb", None, b"c"),
        "a b → c: Invalid cross-device link: check that path",
    )
    yield (
        OSError(errno.EMFILE, "Too many\nopen files", 7),
        "Too many open files: raise the limit of open files (ulimit -n)",
    )
    yield OSError(), "OSError: run the command again"
    yield TimeoutError("too late"), "too late: run the command again"
    yield (
        ExceptionGroup("many", [ExceptionGroup("more", [ServerUnreachable("the first")])]),
        "the first",
    )
    yield (
        caught(lambda: RegistrySettings(database_busy_timeout_s=-1)),
        "NIGHTSHIFT_DATABASE_BUSY_TIMEOUT_S: Input should be greater",
    )
    yield (
        caught(Named.model_validate, {"name": 1}),
        "Named is not valid: name: Input should be a valid string",
    )


@pytest.mark.parametrize(("error", "line"), list(expected_failures()))
def test_an_expected_error_is_one_line(error: BaseException, line: str) -> None:
    """`error:` with what happened, on standard error, and exit code 1."""
    result = CliRunner().invoke(failing(error), ["fail"])
    assert result.exit_code == 1
    assert result.stdout == ""
    assert result.stderr.startswith(f"error: {line}")
    assert result.stderr.count("\n") == 1


@pytest.mark.parametrize("error", [KeyError("fault"), ExceptionGroup("g", [KeyError("fault")])])
def test_a_fault_in_the_program_keeps_its_traceback(error: Exception) -> None:
    """What no one expected is not dressed up as an error of the user's."""
    assert CliRunner().invoke(failing(error), ["fail"]).exception is error


def test_a_closed_pipe_is_no_error_of_ours() -> None:
    """`nightshift … | head` ends without words."""
    result = CliRunner().invoke(failing(BrokenPipeError(errno.EPIPE, "Broken pipe")), ["fail"])
    assert (result.exit_code, result.stderr) == (1, "")


def test_interrupting_says_so() -> None:
    """Ctrl-C is exit code 130 with what to do next, without a traceback."""
    result = CliRunner().invoke(failing(KeyboardInterrupt()), ["fail"])
    assert (result.exit_code, result.stderr) == (130, INTERRUPTED)


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("--colour", "no such option: --colour (see `nightshift --help`)"),
        ("scor", "no such command 'scor'. Did you mean 'score'? (see `nightshift --help`)"),
        ("models shew", "no such command 'shew'. Did you mean 'show'? (see `nightshift models"),
        ("score", "missing option '--model' (see `nightshift score --help`)"),
        ("serve --port x", "invalid value for '--port': Input should be a valid integer, unable"),
        ("models register a", "give either --onnx FILE or --served-name NAME (see `nightshift mo"),
        (
            "score --model m --input i --output o --cast banana",
            "--cast banana: write lossy, temporal, parse, each by itself (see `nightshift score",
        ),
        (
            "score --model m --input i --output o --max-quarantined x",
            "--max-quarantined x: write a share like 5%, or rows (see `nightshift score --help`)",
        ),
    ],
)
def test_a_command_line_that_is_not_understood_is_exit_code_2(
    command: Command, line: str, told: str
) -> None:
    """One line says which word it was, and where to look."""
    result = command(*line.split())
    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr.startswith(f"error: {told}")
    assert result.stderr.endswith("--help`)\n")
    assert result.stderr.count("\n") == 1


def test_no_command_is_answered_with_help(command: Command) -> None:
    """Of the program, or of its part."""
    for words in ((), ("models",)):
        result = command(*words)
        assert result.exit_code == 2
        assert result.stderr.startswith("Usage: nightshift ")
        assert "Commands:" in result.stderr


def commands(words: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """Every command, and every part of the program that has commands."""
    shown = CliRunner().invoke(app, [*words, "--help"]).stdout.partition("\nCommands:\n")[2]
    yield words
    for line in shown.splitlines():
        yield from commands((*words, line.split()[0]))


def test_help_is_whole() -> None:
    """No summary is cut off, and what an option takes is told in our words."""
    found = list(commands())
    assert {("models", "register"), ("db", "upgrade"), ("servers",)} <= set(found)
    for words in found:
        text = CliRunner().invoke(app, [*words, "--help"], terminal_width=100).stdout
        assert "..." not in text.replace("]...", "").replace("COMMAND [ARGS]...", ""), text
        assert not re.search(r"^  --.*<\w+", text, re.MULTILINE), text


def test_the_version_is_told(command: Command) -> None:
    """`--version` is one line."""
    result = command("--version")
    assert result.exit_code == 0
    assert re.fullmatch(r"nightshift \d+\.\d+\.\d+\n", result.stdout)


def test_help_shows_at_once() -> None:
    """Help loads none of the heavy libraries, so it is there before one has let go of Enter."""
    heavy = {"grpc", "numpy", "prefect", "pyarrow", "pydantic", "rich", "sqlalchemy"}
    code = (
        "import sys; from cli.main import app\n"
        "try: app(['--help'])\n"
        f"finally: print(sorted({heavy!r} & set(sys.modules)), file=sys.stderr)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT
    )
    assert done.stderr == "[]\n"
    assert "models" in done.stdout


def test_ctrl_c_in_a_real_process_is_exit_code_130(tmp_path: Path) -> None:
    """A command that is interrupted while it waits ends with one line."""
    (tmp_path / "waiting.py").write_text(
        "import time\n"
        "from cli.main import app\n"
        "@app.command()\n"
        "def wait() -> None:\n"
        "    print('waiting', flush=True)\n"
        "    time.sleep(600)\n"
        "app(['wait'])\n"
    )
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    process = subprocess.Popen(
        [sys.executable, "waiting.py"],
        cwd=tmp_path,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "waiting\n"
    process.send_signal(signal.SIGINT)
    _, words = process.communicate(timeout=100)
    assert (process.returncode, words) == (130, INTERRUPTED)
