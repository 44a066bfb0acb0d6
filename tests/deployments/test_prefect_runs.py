"""Jobs as Prefect's runs, asked for as the API does, of a real server."""

import secrets
from collections.abc import AsyncIterator
from uuid import UUID, uuid4

import pytest
from prefect.client.orchestration import get_client

from api.jobs.prefect_runs import PrefectRuns, opened_runs
from api.jobs.runs import Run, RunKind, RunRefused, RunsAway
from cli.stack.prefect_server import LocalPrefect
from inference.tickets import Ticket
from tests.deployments.conftest import PrefectCommand

pytestmark = [pytest.mark.prefect, pytest.mark.slow]

JOB = {"model": "flights@1", "input": "s3://lake/in/", "output": "s3://lake/out"}


@pytest.fixture
async def runs(prefect_api: LocalPrefect, deployed: str) -> AsyncIterator[PrefectRuns]:
    """The runs of a server on which everything is deployed."""
    async with opened_runs(prefect_api.api_url) as opened:
        yield opened


def ticket() -> Ticket:
    """Return the first attempt at a new job."""
    return Ticket(f"{secrets.randbits(44):011x}-{secrets.token_hex(4)}", 1)


async def test_a_run_is_made_once(runs: PrefectRuns) -> None:
    """Repeated, it is the same; it carries the job's tag, and goes where it is told to."""
    one = ticket()
    run_id = await runs.send(one, JOB)
    assert await runs.send(one, JOB) == run_id
    with get_client(sync_client=True) as client:
        made = client.read_flow_run(UUID(run_id))
    assert (made.parameters, one.tag in made.tags) == ({"job": JOB}, True)
    wanted = {run_id, str(uuid4())}
    assert await runs.look(wanted) == {run_id: Run(run_id, RunKind.SCHEDULED)}
    await runs.stop(run_id)
    assert (await runs.look(wanted))[run_id].kind is RunKind.CANCELLED
    await runs.call(run_id, RunKind.FAILED, "as its job")
    assert await runs.look(wanted) == {run_id: Run(run_id, RunKind.FAILED, "as its job")}


@pytest.mark.parametrize(
    "changed",
    [
        {"nonsense": 1},
        {"rename": {"__prefect_kind": "jinja", "template": "{{ flow_run"}},
    ],
)
async def test_what_no_run_can_have_is_refused(
    runs: PrefectRuns, changed: dict[str, object]
) -> None:
    """For good: nobody tries it again."""
    with pytest.raises(RunRefused):
        await runs.send(ticket(), JOB | changed)


async def test_a_deployment_that_is_made_anew_is_found(
    runs: PrefectRuns, prefect_command: PrefectCommand, deployed: str
) -> None:
    """At the next try; while there is none, the words say what makes one."""
    await runs.stop(await runs.send(ticket(), JOB))
    try:
        with get_client(sync_client=True) as client:
            client.delete_deployment(client.read_deployment_by_name(deployed).id)
        for words in ("404", "run `prefect --no-prompt deploy --all`"):
            with pytest.raises(RunsAway, match=words):
                await runs.send(ticket(), JOB)
    finally:
        prefect_command("--no-prompt", "deploy", "--all")
    await runs.stop(await runs.send(ticket(), JOB))
