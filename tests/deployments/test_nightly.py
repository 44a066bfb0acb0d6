"""The nightly deployment: switched off until its parameters are somebody's own."""

import json
from datetime import date
from pathlib import Path

import pytest
from prefect.client.orchestration import get_client
from prefect.client.schemas.actions import DeploymentUpdate
from typer.testing import CliRunner

from cli.main import app
from cli.stack.prefect_server import LocalPrefect
from tests.deployments.workers import settings_here, worker
from tests.flows.bench import numbers
from tests.flows.workplace import PLATFORM_MARKS, Workplace

pytestmark = [*PLATFORM_MARKS, pytest.mark.slow, pytest.mark.timeout(900)]

NIGHTLY = "nightly/nightly"


def test_the_schedule_waits_for_somebody_to_switch_it_on(deployed: str) -> None:
    """Cron with a time zone; nobody's server scores a dataset that is an example."""
    with get_client(sync_client=True) as client:
        deployment = client.read_deployment_by_name(NIGHTLY)
    (schedule,) = deployment.schedules
    told = json.loads(schedule.schedule.model_dump_json())
    assert (told["cron"], told["timezone"], schedule.active) == (
        "30 4 * * *",
        "Europe/Berlin",
        False,
    )
    assert deployment.work_queue_name == "coordinator"


def test_a_backfill_scores_the_nights_between(
    workplace: Workplace, deployed: str, prefect_api: LocalPrefect, servers_dir: Path
) -> None:
    """The deployment says what; the command says which nights, and how it ended."""
    for day in (1, 2):
        lake = workplace.folder / "lake" / f"date={date(2026, 3, day)}"
        numbers(lake / "a.parquet", [1.0, 2.0])
    job = workplace.job(source="lake/date={date}", output="scores/{date}")
    variables = settings_here()
    with get_client(sync_client=True) as client:
        found = client.read_deployment_by_name(NIGHTLY)
        client.update_deployment(
            found.id,
            DeploymentUpdate(
                parameters={"nightly": {"job": job.model_dump(mode="json")}},
                job_variables={**found.job_variables, "env": variables},
            ),
        )
    with worker(prefect_api, workplace.folder, servers_dir / "nightly.log"):
        done = CliRunner().invoke(app, ["backfill", "--from", "2026-03-01", "--to", "2026-03-02"])
    assert done.exit_code == 0, done.output
    assert done.output.splitlines()[-1] == "Completed"
    assert done.output.startswith("2 nights handed to nightly/nightly: ")
    for night in ("2026-03-01", "2026-03-02"):
        assert workplace.scores(f"scores/{night}") == {0: 2.0, 1: 4.0}


@pytest.mark.parametrize(
    ("options", "status", "words"),
    [
        (["--from", "2026-03-02", "--to", "2026-03-01"], 2, "name at least one night"),
        (["--from", "2026-03", "--to", "2026-03-01"], 2, "does not match"),
        (
            ["--from", "2026-03-01", "--to", "2026-03-01", "--deployment", "nightly/other"],
            1,
            "no deployment nightly/other at Prefect's server: run `prefect",
        ),
    ],
)
def test_what_cannot_be_done_is_told(
    deployed: str, options: list[str], status: int, words: str
) -> None:
    """In one line, before anything is submitted."""
    done = CliRunner().invoke(app, ["backfill", *options])
    assert done.exit_code == status
    assert words in done.output
