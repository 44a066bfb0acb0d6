"""The whole platform: started, killed, started again, stopped."""

import signal
import stat
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from cli.stack.process import port_is_free
from cli.up.identity import await_end, marked
from flows.shards.object_store import open_store
from flows.shards.settings import S3Settings
from tests.cli.up.platforms import Site, site

pytestmark = [pytest.mark.triton, pytest.mark.prefect, pytest.mark.slow, pytest.mark.timeout(300)]

_SERVERS = {"API", "Prefect", "S3", "PostgreSQL", "Redis", "Triton 1", "Triton 2", "worker 1"}


@pytest.fixture(scope="module")
def place(triton_env: Path) -> Iterator[Site]:
    """A folder of this module's own."""
    with site(triton_env) as made:
        yield made


def _states(place: Site) -> tuple[int, dict[str, str]]:
    """Return the exit status of `status` with what it says of each server."""
    shown = place.run("status")
    found = (line.strip() for line in shown.stdout.splitlines())
    cells = [[cell.strip() for cell in line.split("   ") if cell.strip()] for line in found]
    return shown.returncode, {row[0]: row[1] for row in cells if row and row[0] in _SERVERS}


def _kept(place: Site) -> S3Settings:
    told = place.settings()
    prefix = "NIGHTSHIFT_S3_"
    fields = {k.removeprefix(prefix).lower(): v for k, v in told.items() if k.startswith(prefix)}
    return S3Settings.model_validate(fields)


def test_what_was_killed_goes_on_where_it_was(place: Site) -> None:
    """Data, tokens and ports survive a killed `up`; nothing of it does, nor after `down`."""
    started = place.up()
    assert started.returncode == 0, started.stdout + started.stderr
    assert "development: anyone on this machine may do everything here" in started.stdout
    assert _states(place) == (0, dict.fromkeys(_SERVERS, "running"))
    token = place.settings()["NIGHTSHIFT_API_TOKEN"]
    headers = {"Authorization": f"Bearer {token}", "Idempotency-Key": "1"}
    with httpx.Client(base_url=place.api_url, headers=headers, timeout=30) as api:
        made = api.post("/v1/pools", json={"name": "kept", "description": "by the test"})
        assert made.status_code == 201
        default = [each["url"] for each in api.get("/v1/pools/default/servers").json()["items"]]
    assert open_store("s3://lake", _kept(place)).put_if_absent("kept", b"kept")
    assert len(default) == 2
    private = [place.folder.path / "secrets.json", place.folder.record]
    assert {stat.S_IMODE(file.stat().st_mode) for file in private} == {0o600}

    refused = place.up()
    assert (refused.returncode, refused.stdout) == (1, "")
    assert "already: `nightshift status` shows it" in refused.stderr
    assert refused.stderr.count("\n") == 1

    before = place.processes()
    before["worker 1"].signal(signal.SIGKILL)
    assert await_end([before["worker 1"]], timeout_s=20)
    expected = dict.fromkeys(_SERVERS, "running") | {"worker 1": "ended"}
    assert _states(place) == (1, expected)

    before["supervisor"].signal(signal.SIGKILL)
    assert await_end([before["supervisor"]], timeout_s=20)
    assert place.run("status").returncode == 1
    again = place.up()
    assert again.returncode == 0, again.stdout + again.stderr
    assert [name for name, process in before.items() if process.alive()] == []
    with httpx.Client(base_url=place.api_url, headers=headers, timeout=30) as api:
        assert api.get("/v1/pools/kept").json()["description"] == "by the test"
        found = [each["url"] for each in api.get("/v1/pools/default/servers").json()["items"]]
    assert found == default
    assert open_store("s3://lake", _kept(place)).read("kept") == b"kept"

    ended = place.run("down")
    assert (ended.returncode, ended.stdout) == (0, "stopped\n")
    assert marked(place.folder.secrets().mark) == []
    assert all(map(port_is_free, place.ports))
