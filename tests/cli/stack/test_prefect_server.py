"""LocalPrefect: a kept Prefect server that is there in seconds and gone afterwards."""

import contextlib
import json
import sqlite3
import ssl
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from prefect import flow, task
from prefect.client.orchestration import get_client

from cli.stack.errors import PortTaken
from cli.stack.prefect_server import LocalPrefect
from tests.cli.stack.processes import runs
from tests.conftest import PREFECT_TEMPLATE

pytestmark = pytest.mark.prefect


@task
def double(number: int) -> int:
    """Do the least that a task can."""
    return 2 * number


@flow
def doubled() -> list[int]:
    """Run three tasks at a time."""
    return [future.result() for future in double.map([1, 2, 3])]


async def test_runs_flows_of_this_process(prefect_api: LocalPrefect) -> None:
    """A flow called under the fixture is recorded by the server, not by an ephemeral one."""
    assert doubled() == [2, 4, 6]
    async with get_client() as client:
        assert str(client.api_url).rstrip("/") == prefect_api.api_url
        names = {found.name for found in await client.read_flows()}
    assert "doubled" in names


def test_sends_nothing_out(prefect_api: LocalPrefect) -> None:
    """Neither the server nor its clients report their use."""
    settings = _ask(prefect_api, "/admin/settings")
    assert settings["server"]["analytics_enabled"] is False
    assert prefect_api.client_environment()["DO_NOT_TRACK"] == "1"


async def test_a_client_trusts_nobody(prefect_api: LocalPrefect) -> None:
    """It speaks to the server, over HTTP; an address with https has no authority that it knows."""
    environment = prefect_api.client_environment()
    [authority] = ssl.create_default_context(
        cafile=environment["PREFECT_API_SSL_CERT_FILE"]
    ).get_ca_certs()
    assert authority["subject"] == ((("commonName", "nobody"),),)
    async with get_client() as client:
        assert await client.api_healthcheck() is None


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalPrefect]:
    """A server of this module's own, with a history to keep."""
    home = tmp_path_factory.mktemp("prefect") / "home"
    with LocalPrefect(home, template=PREFECT_TEMPLATE) as server:
        yield server


def test_one_server_at_a_time_uses_a_folder(kept: LocalPrefect) -> None:
    """A second server takes the next folder, and an asked for port that is taken is one line."""
    second = LocalPrefect(kept.home, template=PREFECT_TEMPLATE, port=kept.port)
    with pytest.raises(PortTaken, match=f"port {kept.port} for Prefect is taken"):
        second.start()
    assert second.home == kept.home.with_name("home-2")
    # What failed has left its folder to the next.
    third = LocalPrefect(kept.home, template=PREFECT_TEMPLATE, port=kept.port)
    with pytest.raises(PortTaken):
        third.start()
    assert third.home == second.home


def test_keeps_its_history(kept: LocalPrefect) -> None:
    """What one server recorded the next one in the same folder knows, on whatever port."""
    _ask(kept, "/flows/", {"name": "remembered"})
    pid = kept.pid
    kept.stop()
    assert not runs(pid)
    kept.start()
    assert kept.pid != pid
    assert _ask(kept, "/flows/name/remembered")["name"] == "remembered"


def test_migrates_without_a_template(tmp_path: Path) -> None:
    """Without a prepared database the server makes its own."""
    with LocalPrefect(tmp_path / "home") as server:
        assert _ask(server, "/health") is True
    with contextlib.closing(sqlite3.connect(server.home / "prefect.db")) as database:
        assert database.execute("select count(*) from alembic_version").fetchone() == (1,)


def test_is_not_started_unasked(tmp_path: Path) -> None:
    """A described server has no process, no port and no files."""
    server = LocalPrefect(tmp_path / "home")
    server.stop()
    with pytest.raises(RuntimeError, match="Prefect was not started"):
        _ = server.pid
    with pytest.raises(RuntimeError, match="Prefect was not started"):
        _ = server.port
    assert not (tmp_path / "home").exists()


def _ask(server: LocalPrefect, path: str, body: dict[str, Any] | None = None) -> Any:
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(
        server.api_url + path, data=data, headers={"Content-Type": "application/json"}
    )
    with urllib.request.urlopen(request, timeout=60) as answer:
        return json.load(answer)
