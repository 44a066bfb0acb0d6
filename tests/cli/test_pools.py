"""Pools and models from the command line, through a running API."""

import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from cli.stack.process import LOOPBACK, free_ports
from cli.stack.triton import LocalTriton
from tests.cli.conftest import Command
from tests.conftest import ROOT


@pytest.fixture
def api(tmp_path: Path, triton: LocalTriton, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """A running API in development, with a real Triton; commands talk to it."""
    (port,) = free_ports(1)
    environment = os.environ | {
        "NIGHTSHIFT_API_PORT": str(port),
        "NIGHTSHIFT_API_DRAIN_NOTICE_S": "0",
        "NIGHTSHIFT_TRITON_URLS": triton.grpc_url,
        "PYTHONPATH": str(ROOT),
    }
    command = [sys.executable, "-m", "cli.main", "serve"]
    server = subprocess.Popen(command, cwd=tmp_path, env=environment, stdout=subprocess.DEVNULL)
    try:
        end = time.monotonic() + 200
        while True:
            try:
                socket.create_connection((LOOPBACK, port), timeout=1).close()
                break
            except OSError:
                assert time.monotonic() < end
                time.sleep(0.1)
        monkeypatch.setenv("NIGHTSHIFT_API_URL", f"http://{LOOPBACK}:{port}")
        yield f"http://{LOOPBACK}:{port}"
    finally:
        server.terminate()
        server.wait(timeout=100)


@pytest.mark.triton
def test_a_version_goes_live_through_the_api(
    command: Command, api: str, triton: LocalTriton, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Register, move, roll back, load, look: who the token names did it."""
    refused = command("models", "list")
    assert (refused.exit_code, refused.stderr.count("\n")) == (1, 1)
    assert refused.stderr.endswith("in development to what `nightshift token` prints\n")
    monkeypatch.setenv("NIGHTSHIFT_API_TOKEN", command("token").stdout.strip())
    for columns in ("features=a", "features=b"):
        words = ("models", "register", "linear", "--served-name", "linear")
        made = command(*words, "--columns", columns, "--alias", "champion", "--why", columns)
        assert made.exit_code == 0, made.stderr
    back = command("models", "rollback", "linear", "champion", "--why", "b was wrong")
    assert back.stdout == "linear@champion is version 1 again\n"
    shown = json.loads(command("models", "show", "linear", "--json").stdout)
    assert [(move["to_version"], move["by"], move["why"]) for move in shown["moves"]] == [
        (1, "demo", "b was wrong"),
        (2, "demo", "features=b"),
        (1, "demo", "features=a"),
    ]
    loaded = command("pools", "load", "default", "linear@champion")
    address = triton.grpc_url.removeprefix("grpc://")
    assert loaded.exit_code == 0, loaded.stderr
    assert address in loaded.stdout
    (server,) = json.loads(command("pools", "show", "default", "--json").stdout)["servers"]
    assert (server["url"], server["health"]["breaker"]) == (address, "closed")
    drained = json.loads(command("pools", "drain", "default", address, "--json").stdout)
    assert drained["state"] == "draining"
    assert (
        command("pools", "add", "default", address).stdout
        == f"{address} is asked by pool default\n"
    )
    gone = command("pools", "remove", "default", address, "--why", "old", "--json").stdout
    assert json.loads(gone) == {"pool": "default", "removed": address}
    events = json.loads(command("pools", "events", "default", "--limit", "5", "--json").stdout)
    assert [(event["kind"], event["why"]) for event in events] == [
        ("server.removed", "old"),
        ("server.added", ""),
        ("server.drained", ""),
        ("version.placed", ""),
        ("server.added", ""),
    ]
    wish = ("default", "linear@1", "--why", "to see")
    joins = command("pools", "load", *wish)
    assert joins.exit_code == 1
    assert (
        joins.stdout == "pool default has no active server: each that joins shall serve linear@1\n"
    )
    gone = command("pools", "unload", *wish).stdout
    assert gone == "no server of pool default had to let go of linear@1\n"
    last = json.loads(command("pools", "events", "default", "--limit", "1", "--json").stdout)
    assert [(event["kind"], event["why"]) for event in last] == [("version.withdrawn", "to see")]


@pytest.mark.triton
def test_pools_are_made_and_their_servers_believed_once_they_answer(
    command: Command, api: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What the API refuses is one line, with its words."""
    monkeypatch.setenv("NIGHTSHIFT_API_TOKEN", command("token").stdout.strip())
    made = command("pools", "create", "night", "--description", "A100s", "--json")
    assert json.loads(made.stdout)["description"] == "A100s"
    assert command("pools", "describe", "night", "--description", "H100s").exit_code == 0
    again = command("pools", "create", "night")
    assert again.stderr == (
        "error: the API says: pool night is registered already: change it, or choose another name\n"
    )
    nobody = command("pools", "add", "night", "127.0.0.1:9")
    assert nobody.stderr.startswith("error: the API says: nothing at 127.0.0.1:9 says")
    listed = json.loads(command("pools", "list", "--json").stdout)
    assert [(pool["name"], len(pool["servers"])) for pool in listed] == [
        ("default", 1),
        ("night", 0),
    ]
    assert command("pools", "show", "night").stdout == "no servers\n"
    gone = command("pools", "delete", "night", "--why", "sold", "--json").stdout
    assert json.loads(gone) == {"deleted": "night"}
    table = command("pools", "events", "night").stdout
    for part in ("pool.deleted", "sold", "pool.changed", "description", "pool.created", "demo"):
        assert part in table
    assert command("pools", "--api", "http://127.0.0.1:9", "list").stderr.startswith(
        "error: the API at http://127.0.0.1:9 does not answer"
    )


def test_pools_need_an_api(command: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    """Breakers and load are a running process's."""
    monkeypatch.delenv("NIGHTSHIFT_API_URL", raising=False)
    ended = command("pools", "list")
    assert (ended.exit_code, ended.stderr.count("\n")) == (1, 1)
    assert ended.stderr.startswith("error: pools and jobs are managed through the API: start")
