"""The templates of work pools are ones that Prefect takes and fills in."""

import json
import re
import shlex
from collections.abc import Mapping
from typing import Any

import pytest
import yaml  # type: ignore[import-untyped]  # Prefect brings it, nobody its stubs
from prefect.client.orchestration import get_client
from prefect.client.schemas.actions import WorkPoolCreate
from prefect.utilities.schema_tools import is_valid_schema, validate
from prefect.utilities.templating import apply_values, find_placeholders
from prefect.workers.process import ProcessJobConfiguration
from prefect.workers.utilities import get_default_base_job_template_for_infrastructure_type

from cli.stack.prefect_server import LocalPrefect
from tests.conftest import ROOT
from tests.deployments.conftest import PrefectCommand
from tests.deployments.workers import POOL

pytestmark = pytest.mark.prefect

TYPES = ("process", "kubernetes")
IMAGE = "registry.example/nightshift@sha256:00"
_LIMIT = re.compile(r"`prefect (work-queue set-concurrency-limit [^`]+)`")


def template(kind: str) -> dict[str, Any]:
    """Read a template as `--base-job-template` does."""
    loaded: dict[str, Any] = json.loads((ROOT / "deployments" / f"{kind}.json").read_text())
    return loaded


def filled(kind: str, **given: object) -> dict[str, Any]:
    """Fill the template in as a worker does: what is given, else the defaults."""
    ours = template(kind)
    properties: Mapping[str, Any] = ours["variables"]["properties"]
    defaults = {name: each["default"] for name, each in properties.items() if "default" in each}
    job: dict[str, Any] = apply_values(ours["job_configuration"], defaults | given)
    return job


@pytest.mark.parametrize("kind", TYPES)
def test_every_variable_has_its_place(kind: str) -> None:
    """What a pool's page asks for is used, and nothing is used that nobody can give."""
    ours = template(kind)
    is_valid_schema(ours["variables"], preprocess=False)
    places = {place.name for place in find_placeholders(ours["job_configuration"])}
    assert places == set(ours["variables"]["properties"])


@pytest.mark.parametrize("kind", TYPES)
async def test_prefects_own_template_has_these_fields(kind: str, prefect_api: LocalPrefect) -> None:
    """A worker of that type passes over what it does not know."""
    theirs = await get_default_base_job_template_for_infrastructure_type(kind)
    assert theirs is not None
    ours = template(kind)
    assert ours["job_configuration"].keys() <= theirs["job_configuration"].keys()


@pytest.mark.parametrize("kind", TYPES)
def test_a_pool_is_made_of_it(kind: str, prefect_api: LocalPrefect) -> None:
    """A real server checks the template, and keeps it as it is."""
    name = f"template-{kind}"
    with get_client(sync_client=True) as client:
        pool = WorkPoolCreate(name=name, type=kind, base_job_template=template(kind))
        client.create_work_pool(pool)
        try:
            assert client.read_work_pool(name).base_job_template == template(kind)
        finally:
            client.delete_work_pool(name)


@pytest.mark.parametrize("kind", TYPES)
def test_the_deployments_fit_it(kind: str) -> None:
    """What `prefect.yaml` gives a run is what the template takes."""
    variables = template(kind)["variables"]
    deployments = yaml.safe_load((ROOT / "prefect.yaml").read_text())["deployments"]
    needed = {"image": IMAGE} if kind == "kubernetes" else {}
    for each in deployments:
        given = each["work_pool"]["job_variables"] | needed
        validate(given, variables, raise_on_error=True, preprocess=False)
        if kind == "process":
            assert given.keys() <= variables["properties"].keys()


async def test_a_process_is_started_by_it(prefect_api: LocalPrefect) -> None:
    """In the worker's folder, with the run's variables."""
    given = {"env": {"NIGHTSHIFT_SCORE_ON": "here"}, "working_dir": "/srv/jobs"}
    made: ProcessJobConfiguration = await ProcessJobConfiguration.from_template_and_values(
        template("process"), given
    )
    assert made.model_dump(include={"env", "working_dir", "stream_output"}, mode="json") == {
        **given,
        "stream_output": True,
    }


def test_a_pod_is_started_by_it() -> None:
    """Once, from the image, with the secret's settings and a bound on its memory."""
    job = filled("kubernetes", image=IMAGE, env={"A": "b"}, labels={}, command="run", name="slice")
    spec = job["job_manifest"]["spec"]
    pod = spec["template"]["spec"]
    (container,) = pod["containers"]
    assert (spec["backoffLimit"], spec["ttlSecondsAfterFinished"]) == (0, 3600)
    assert (pod["restartPolicy"], pod["serviceAccountName"]) == ("Never", "nightshift-run")
    assert container["image"] == IMAGE
    assert container["envFrom"] == [{"secretRef": {"name": "nightshift-settings"}}]
    assert container["resources"] == {
        "requests": {"cpu": "2", "memory": "4Gi"},
        "limits": {"memory": "4Gi"},
    }
    assert container["securityContext"]["runAsNonRoot"] is True
    assert "{{" not in json.dumps(job)


def test_the_limits_are_set_as_the_page_says(
    deployed: str, prefect_command: PrefectCommand
) -> None:
    """Each queue takes the limit of its command in deployments/README.md."""
    commands = _LIMIT.findall((ROOT / "deployments" / "README.md").read_text())
    said = {words[2]: int(words[3]) for words in map(shlex.split, commands)}
    try:
        for command in commands:
            done = prefect_command(*shlex.split(command))
            assert done.returncode == 0, done.stdout + done.stderr
        with get_client(sync_client=True) as client:
            queues = client.read_work_queues(work_pool_name=POOL)
        assert {queue.name: queue.concurrency_limit for queue in queues} == {
            "default": None,
            **said,
        }
        assert said.keys() == {"coordinator", "scorer"}
    finally:
        for queue in said:
            prefect_command("work-queue", "clear-concurrency-limit", queue, "--pool", POOL)
