"""Check `nightshift serve` as a process: started, asked, ended by Ctrl-C."""

import json
import os
import re
import signal
import socket
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.api import tokens
from tests.cli.conftest import Command
from tests.conftest import ROOT


@contextmanager
def serving(
    folder: Path, *words: str, triton_env: Path | None = None
) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """Run the command in `folder` and give its first line; it is ended in any case.

    It is told of a server that is away, or else starts one from `triton_env`.
    """
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "NIGHTSHIFT_TRITON_URLS": "127.0.0.1:9"}
    if triton_env is not None:
        del environment["NIGHTSHIFT_TRITON_URLS"]
        environment["NIGHTSHIFT_TRITON_ENV"] = str(triton_env.absolute())
    with subprocess.Popen(
        [sys.executable, "-m", "cli.main", "serve", *words],
        cwd=folder,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as process:
        try:
            assert process.stdout is not None
            yield process, process.stdout.readline()
        finally:
            process.kill()


@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
def test_answers_until_ctrl_c(tmp_path: Path, host: str) -> None:
    """It says where it listens and logs; its end is not an error."""
    if host == "::1" and not _has_ipv6():
        pytest.skip("this machine has no IPv6 loopback")
    with serving(tmp_path, "--host", host, "--port", "0") as (process, line):
        found = re.fullmatch(
            r"serving on (http://\S+:\d+), log in \.nightshift/logs/api\.jsonl; Ctrl-C ends it\n",
            line,
        )
        assert found, line
        with urllib.request.urlopen(f"{found[1]}/health/live", timeout=100) as answer:
            assert json.load(answer) == {"status": "live"}
        process.send_signal(signal.SIGINT)
        assert process.stdout is not None
        rest = process.stdout.read()
        assert process.wait(timeout=100) == 0
    assert re.fullmatch(
        r"development: anyone on this machine may do everything, http://\S+/docs\n"
        r"demo token: ([\w-]+\.){2}[\w-]+\nstopped\n",
        rest,
    )
    log = (tmp_path / ".nightshift/logs/api.jsonl").read_text().splitlines()
    assert "Finished server process" in json.loads(log[-1])["message"]


@pytest.mark.triton
def test_its_own_triton_is_told_of_before_it_starts(tmp_path: Path, triton_env: Path) -> None:
    """It takes seconds, in which nobody need wonder what happens."""
    with serving(tmp_path, "--port", "0", triton_env=triton_env) as (process, line):
        assert line == "starting Triton\n"
        assert process.stdout is not None
        assert process.stdout.readline().startswith("serving on http://127.0.0.1:")
        process.send_signal(signal.SIGINT)
        assert process.stdout.read().endswith("stopped\n")
        assert process.wait(timeout=100) == 0


def test_a_taken_port_is_one_line(command: Command) -> None:
    """Nothing is opened or written."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        result = command("serve", "--port", str(port))
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr == (
        f"error: port {port} for the API is taken: end what uses it, or choose another port\n"
    )
    assert not list(Path.cwd().iterdir())


@pytest.mark.parametrize("host", ["192.0.2.1", "no name"])
def test_an_address_of_elsewhere_is_one_line(
    command: Command, monkeypatch: pytest.MonkeyPatch, host: str
) -> None:
    """Neither another machine's address nor what is no address at all can be listened on."""
    monkeypatch.setenv("NIGHTSHIFT_ENVIRONMENT", "production")
    monkeypatch.setenv("NIGHTSHIFT_JWT_SECRET", tokens.SECRET)
    result = command("serve", "--host", host, "--port", "0")
    assert result.exit_code == 1
    assert re.fullmatch(
        f"error: the API cannot listen on {host} port 0: .+; choose another address or port\n",
        result.stderr,
    )


def test_a_registry_that_cannot_be_opened_is_one_line(
    command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No traceback, and nothing is said to be served."""
    monkeypatch.setenv("NIGHTSHIFT_DATABASE_URL", "nonsense")
    monkeypatch.setenv("NIGHTSHIFT_TRITON_URLS", "127.0.0.1:9")
    result = command("serve", "--port", "0")
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr.startswith("error: NIGHTSHIFT_DATABASE_URL is not a database")
    assert result.stderr.count("\n") == 1


@pytest.mark.parametrize(
    ("environment", "words", "told"),
    [
        ({"ENVIRONMENT": "production"}, (), "error: production needs NIGHTSHIFT_JWT_SECRET"),
        (
            {"ENVIRONMENT": "production", "JWT_SECRET": "changeme"},
            (),
            "error: NIGHTSHIFT_JWT_SECRET has 8 bytes",
        ),
        ({}, ("--host", "0.0.0.0"), "error: development gives tokens away"),
    ],
)
def test_what_would_let_anyone_in_does_not_start(
    command: Command,
    monkeypatch: pytest.MonkeyPatch,
    environment: dict[str, str],
    words: tuple[str, ...],
    told: str,
) -> None:
    """One line and exit status 1; nothing was opened or written."""
    for name, value in environment.items():
        monkeypatch.setenv(f"NIGHTSHIFT_{name}", value)
    result = command("serve", "--port", "0", *words)
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr.startswith(told)
    assert result.stderr.count("\n") == 1
    assert not list(Path.cwd().iterdir())


def _has_ipv6() -> bool:
    try:
        socket.create_server(("::1", 0), family=socket.AF_INET6).close()
    except OSError:
        return False
    return True
