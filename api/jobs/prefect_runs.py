"""Have Prefect run the jobs: its one home in the API."""

from collections.abc import AsyncIterator, Collection, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from typing import Any
from uuid import UUID

import httpx
import orjson
from prefect.client.orchestration import PrefectClient
from prefect.client.schemas.objects import State, StateType
from prefect.exceptions import ObjectNotFound, PrefectException
from prefect.settings import get_current_settings

from api.jobs.runs import Run, RunKind, RunRefused, RunsAway
from inference.tickets import DEPLOYMENT, Ticket

_TIMEOUT_S = 10.0
"""Longest wait for an answer, which takes a healthy server a tenth of a second."""
_AT_ONCE = 200
"""Runs in one question, as many as Prefect's server gives in one answer."""
_MOST_WORDS = 2000
_REFUSED = (httpx.codes.BAD_REQUEST, httpx.codes.CONFLICT, httpx.codes.UNPROCESSABLE_ENTITY)
"""What Prefect answers for parameters that no run can have."""


class PrefectRuns:
    """Jobs as runs of a deployment; see `api.jobs.runs.Runs`."""

    def __init__(self, client: PrefectClient) -> None:
        self._client = client
        self._deployment: UUID | None = None

    async def send(self, ticket: Ticket, job: Mapping[str, Any]) -> str:
        """Have the job run; Prefect knows a repetition by its idempotency key."""
        run = {
            "parameters": {"job": dict(job)},
            "tags": [ticket.tag],
            "idempotency_key": f"{ticket.job}/{ticket.attempt}",
        }
        with _failures_named():
            try:
                return await self._create(run)
            except ObjectNotFound as error:
                raise RunsAway(
                    f"Prefect has no deployment {DEPLOYMENT}: run `prefect --no-prompt deploy "
                    "--all`"
                ) from error
            except httpx.HTTPStatusError as error:
                if error.response.status_code in _REFUSED:
                    raise RunRefused(_one_line(error.response.text)) from error
                raise

    async def _create(self, run: Mapping[str, Any]) -> str:
        """Create the run as `arun_deployment` does, which asks for the deployment each time.

        It also makes objects of both answers: this process has requests to answer meanwhile.
        """
        if self._deployment is None:
            self._deployment = (await self._client.read_deployment_by_name(DEPLOYMENT)).id
        try:
            made = await self._client.request(
                "POST",
                "/deployments/{id}/create_flow_run",
                path_params={"id": self._deployment},
                json=run,
            )
        except httpx.HTTPStatusError as error:
            if error.response.status_code == httpx.codes.NOT_FOUND:
                self._deployment = None  # it was made anew: the next try looks for it
            raise
        return str(orjson.loads(made.content)["id"])

    async def look(self, run_ids: Collection[str]) -> Mapping[str, Run]:
        """Return the runs by id."""
        wanted, found = sorted(run_ids), dict[str, Run]()
        for at in range(0, len(wanted), _AT_ONCE):
            some = {"id": {"any_": wanted[at : at + _AT_ONCE]}}
            with _failures_named():
                told = await self._client.request(
                    "POST", "/flow_runs/filter", json={"flow_runs": some, "limit": _AT_ONCE}
                )
            found.update((run["id"], _run(run)) for run in orjson.loads(told.content))
        return found

    async def stop(self, run_id: str) -> None:
        """Have the run cancelled: by its worker, at once where none has it."""
        with _failures_named():
            state = State[Any](type=StateType.CANCELLING, message="the job is to be cancelled")
            await self._client.set_flow_run_state(run_id, state)

    async def call(self, run_id: str, kind: RunKind, why: str) -> None:
        """Have the run called what it is, past Prefect's own rules."""
        with _failures_named():
            state = State[Any](type=StateType(kind), message=why)
            await self._client.set_flow_run_state(run_id, state, force=True)


@asynccontextmanager
async def opened_runs(api_url: str) -> AsyncIterator[PrefectRuns]:
    """Give the runs of the Prefect at `api_url`; its other settings are those of the environment.

    Nothing is asked of it yet.
    """
    api = get_current_settings().api
    client = PrefectClient(
        api_url,
        auth_string=api.auth_string.get_secret_value() if api.auth_string else None,
        api_key=api.key.get_secret_value() if api.key else None,
        httpx_settings={"timeout": _TIMEOUT_S},
    )
    async with client:
        yield PrefectRuns(client)


@contextmanager
def _failures_named() -> Iterator[None]:
    try:
        yield
    except (httpx.HTTPError, PrefectException) as error:
        raise RunsAway(_one_line(str(error)) or type(error).__name__) from error


def _run(run: Mapping[str, Any]) -> Run:
    state = run["state"]
    if state is None:
        return Run(run["id"], RunKind.SCHEDULED)
    return Run(run["id"], RunKind(state["type"]), _one_line(state["message"] or ""))


def _one_line(words: str) -> str:
    return " ".join(words.split())[:_MOST_WORDS]
