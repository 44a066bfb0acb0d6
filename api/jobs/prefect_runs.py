"""Have Prefect run the jobs: its one home in the API."""

from collections.abc import AsyncIterator, Collection, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from typing import Any
from uuid import UUID

import httpx
from prefect.client.orchestration import PrefectClient
from prefect.client.schemas.filters import FlowRunFilter, FlowRunFilterId
from prefect.client.schemas.objects import FlowRun, State, StateType
from prefect.deployments import arun_deployment
from prefect.exceptions import ObjectNotFound, PrefectException
from prefect.settings import get_current_settings

from api.jobs.runs import Run, RunKind, RunRefused, RunsAway
from inference.tickets import DEPLOYMENT, Ticket

_TIMEOUT_S = 10.0
"""Longest wait for an answer, which takes a healthy server a tenth of a second."""
_AT_ONCE = 200
"""Runs in one question, as many as Prefect's server gives in one answer."""
_MOST_WORDS = 2000


class PrefectRuns:
    """Jobs as runs of a deployment; see `api.jobs.runs.Runs`."""

    def __init__(self, client: PrefectClient) -> None:
        self._client = client

    async def send(self, ticket: Ticket, job: Mapping[str, Any]) -> str:
        """Have the job run; Prefect knows a repetition by its idempotency key."""
        with _failures_named():
            try:
                run = await arun_deployment(
                    DEPLOYMENT,
                    client=self._client,
                    parameters={"job": dict(job)},
                    tags=[ticket.tag],
                    idempotency_key=f"{ticket.job}/{ticket.attempt}",
                    timeout=0,
                    as_subflow=False,
                )
            except ObjectNotFound as error:
                raise RunsAway(
                    f"Prefect has no deployment {DEPLOYMENT}: run `prefect --no-prompt deploy "
                    "--all`"
                ) from error
            except httpx.HTTPStatusError as error:
                if error.response.status_code in (
                    httpx.codes.CONFLICT,
                    httpx.codes.UNPROCESSABLE_ENTITY,
                ):
                    raise RunRefused(_one_line(error.response.text)) from error
                raise
        return str(run.id)

    async def look(self, run_ids: Collection[str]) -> Mapping[str, Run]:
        """Return the runs by id."""
        wanted, found = sorted(run_ids), dict[str, Run]()
        for at in range(0, len(wanted), _AT_ONCE):
            some = [UUID(each) for each in wanted[at : at + _AT_ONCE]]
            with _failures_named():
                runs = await self._client.read_flow_runs(
                    flow_run_filter=FlowRunFilter(id=FlowRunFilterId(any_=some)), limit=_AT_ONCE
                )
            found.update((str(run.id), _run(run)) for run in runs)
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


def _run(run: FlowRun) -> Run:
    if run.state is None:
        return Run(str(run.id), RunKind.SCHEDULED)
    return Run(str(run.id), RunKind(run.state.type.value), _one_line(run.state.message or ""))


def _one_line(words: str) -> str:
    return " ".join(words.split())[:_MOST_WORDS]
