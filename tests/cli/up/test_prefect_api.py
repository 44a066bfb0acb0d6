"""What `up` asks of Prefect's server, asked of a real one."""

import secrets
import time
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from cli.stack.prefect_server import LocalPrefect
from cli.up.errors import PrefectRefused
from cli.up.prefect_api import COORDINATORS, SCORERS, WORK_POOL, PrefectApi
from tests.conftest import PREFECT_TEMPLATE

pytestmark = pytest.mark.prefect


class _Patient(httpx.Client):
    """Asks again where the server is busy with others' writes."""

    def send(self, request: httpx.Request, **options: Any) -> httpx.Response:
        while (answer := super().send(request, **options)).status_code == 503:
            time.sleep(0.1)
        return answer


@pytest.fixture(scope="module")
def own_prefect(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalPrefect]:
    """A server for these tests alone: others have deployed to the work pool of theirs."""
    with LocalPrefect(tmp_path_factory.mktemp("prefect"), template=PREFECT_TEMPLATE) as server:
        yield server


@pytest.fixture
def asked(own_prefect: LocalPrefect) -> Iterator[httpx.Client]:
    """Asks the server without our client; the work pool is taken away afterwards."""
    with _Patient(base_url=own_prefect.api_url, timeout=60) as client:
        client.delete(f"/work_pools/{WORK_POOL}")
        yield client
        client.delete(f"/work_pools/{WORK_POOL}")


@pytest.fixture
def prefect(own_prefect: LocalPrefect) -> Iterator[PrefectApi]:
    """What is tested."""
    with PrefectApi(own_prefect.api_url) as made:
        yield made


def _limits(asked: httpx.Client) -> dict[str, int | None]:
    found = asked.post(f"/work_pools/{WORK_POOL}/queues/filter", json={}).json()
    return {queue["name"]: queue["concurrency_limit"] for queue in found}


def test_the_pool_is_there_and_takes_runs(asked: httpx.Client, prefect: PrefectApi) -> None:
    """With its queues; a second time the limit is the new one, and a pause has ended."""
    prefect.have_pool(coordinators=2)
    assert _limits(asked) == {"default": None, COORDINATORS: 2, SCORERS: None}
    prefect.pause(True)
    assert asked.get(f"/work_pools/{WORK_POOL}").json()["is_paused"]
    prefect.have_pool(coordinators=5)
    assert _limits(asked) == {"default": None, COORDINATORS: 5, SCORERS: None}
    assert not asked.get(f"/work_pools/{WORK_POOL}").json()["is_paused"]


def test_a_worker_is_online_when_it_has_told(asked: httpx.Client, prefect: PrefectApi) -> None:
    """One of earlier is not taken for the one that is being started."""
    prefect.have_pool(coordinators=1)
    assert not prefect.online("worker 1")
    asked.post(f"/work_pools/{WORK_POOL}/workers/heartbeat", json={"name": "worker 1"})
    assert prefect.online("worker 1")
    assert not prefect.online("worker 2")
    prefect.have_pool(coordinators=1)
    assert not prefect.online("worker 1")


def test_runs_of_dead_workers_are_crashed(asked: httpx.Client, prefect: PrefectApi) -> None:
    """Those under way are told to be dead; one that waits, and one of another pool, stay."""
    prefect.have_pool(coordinators=1)
    asked.post("/work_pools/", json={"name": "other", "type": "process"})
    running = _run(asked, WORK_POOL, "RUNNING")
    waiting = _run(asked, WORK_POOL, "SCHEDULED")
    others = _run(asked, "other", "RUNNING")
    assert [run["id"] for run in prefect.under_way()] == [running]
    assert prefect.crash_all("the platform was stopped") == 1
    found = asked.get(f"/flow_runs/{running}").json()["state"]
    assert (found["type"], found["message"]) == ("CRASHED", "the platform was stopped")
    assert [_state(asked, each) for each in (waiting, others)] == ["SCHEDULED", "RUNNING"]
    assert prefect.crash_all("again") == 0
    asked.delete("/work_pools/other")


def test_a_refusal_is_told_in_one_line(own_prefect: LocalPrefect) -> None:
    """What was asked and why it was refused, or that nobody answers."""
    with PrefectApi(own_prefect.api_url) as prefect, pytest.raises(PrefectRefused) as refused:
        prefect._ask("POST", "/work_pools/", {"name": ""})
    assert str(refused.value).startswith("Prefect's server refused POST /work_pools/: {")
    with PrefectApi("http://127.0.0.1:9/api") as away, pytest.raises(PrefectRefused) as gone:
        away.pause(True)
    assert "\n" not in str(gone.value)


def _run(asked: httpx.Client, pool: str, state: str) -> str:
    """Make a run of the pool's default queue that is in the state."""
    flow = asked.post("/flows/", json={"name": "up"}).json()["id"]
    body: dict[str, Any] = {"flow_id": flow, "name": secrets.token_hex(4), "work_pool_name": pool}
    deployment = asked.post("/deployments/", json=body).json()["id"]
    wanted = {"state": {"type": "SCHEDULED"}}
    run = asked.post(f"/deployments/{deployment}/create_flow_run", json=wanted).json()["id"]
    if state != "SCHEDULED":
        asked.post(f"/flow_runs/{run}/set_state", json={"state": {"type": state}, "force": True})
    return str(run)


def _state(asked: httpx.Client, run: str) -> str:
    return str(asked.get(f"/flow_runs/{run}").json()["state"]["type"])
