"""Have Prefect run slices on workers."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from typing import Any
from uuid import UUID

import httpx
from prefect.client.orchestration import PrefectClient, get_client
from prefect.client.schemas.filters import FlowRunFilter, FlowRunFilterId
from prefect.client.schemas.objects import State, StateType, WorkerStatus
from prefect.exceptions import PrefectException
from prefect.runtime import deployment, flow_run
from prefect.states import Cancelling, Crashed

from flows.dispatch import RunState
from flows.slice_order import SliceOrder
from flows.threads import in_thread

_AT_ONCE = 200
"""Runs that Prefect's server returns in one answer."""
AWAY = (httpx.HTTPError, PrefectException)
"""What a Prefect server that is away or refuses looks like."""


def is_deployed() -> bool:
    """Whether a worker runs this, and not a person's own process."""
    return deployment.id is not None


def this_run() -> str:
    """Return the id of the run that this is; with each of its tries another one."""
    return f"{UUID(str(flow_run.id)).hex[:10]}{int(flow_run.run_count or 1) % 100:02d}"


class SliceRuns:
    """The runs of one job's slices, at Prefect's server."""

    def __init__(
        self,
        client: PrefectClient,
        deployment_id: UUID,
        *,
        pool: str | None,
        variables: Mapping[str, object],
    ) -> None:
        self._client = client
        self._deployment_id = deployment_id
        self._pool = pool
        self._variables = dict(variables)
        self._ids: dict[int, UUID] = {}

    async def have_worker(self) -> bool:
        """Whether a worker of the pool has told of itself lately."""
        if self._pool is None:
            return False
        workers = await self._client.read_workers_for_work_pool(self._pool)
        return any(worker.status is WorkerStatus.ONLINE for worker in workers)

    async def send(self, order: SliceOrder) -> None:
        """Have a worker score the slice when it has room. Safe to repeat."""
        run = await self._client.create_flow_run_from_deployment(
            self._deployment_id,
            parameters={"order": order.model_dump(mode="json")},
            name=f"slice {order.number} run {order.run}",
            idempotency_key=f"{order.fingerprint[:12]}-{order.coordinator}-{order.run}",
            tags=[f"job:{order.fingerprint[:12]}"],
            job_variables=self._variables or None,
        )
        self._ids[order.run] = run.id

    async def states(self, runs: tuple[int, ...]) -> Mapping[int, RunState]:
        """Return what is known of `runs`; a run that Prefect does not know has ended."""
        keys = [key for key in runs if key in self._ids]
        found: dict[UUID, State[Any] | None] = {}
        for start in range(0, len(keys), _AT_ONCE):
            ids = [self._ids[key] for key in keys[start : start + _AT_ONCE]]
            told = await self._client.read_flow_runs(
                flow_run_filter=FlowRunFilter(id=FlowRunFilterId(any_=ids)), limit=_AT_ONCE
            )
            found |= {run.id: run.state for run in told}
        return {key: _as_seen(found.get(self._ids[key])) for key in keys}

    async def release(self, run: int, *, dead: bool) -> None:
        """Have a run end, or say of a dead one that it has. Fails open: it harms nobody."""
        if (known := self._ids.get(run)) is None:
            return
        state: State[Any] = Crashed(message="nothing was heard of it") if dead else Cancelling()
        with suppress(*AWAY):
            await self._client.set_flow_run_state(known, state)


def _as_seen(state: State[Any] | None) -> RunState:
    """Tell what a state means for the slice."""
    if state is None:
        return RunState("ended", "its run was removed from Prefect")
    words = f"{state.name}: {state.message}" if state.message else str(state.name)
    if state.is_final():
        return RunState("ended", " ".join(words.split()))
    if state.type in (StateType.SCHEDULED, StateType.PAUSED):
        return RunState("waiting", words)
    return RunState("begun", words)


@asynccontextmanager
async def open_slice_runs(deployment_name: str) -> AsyncIterator[SliceRuns | None]:
    """Connect to Prefect's server; None when that tells of no deployment of slices.

    Variables that a person gave this run, servers' addresses for example, go to the slices too.
    """
    async with get_client() as client:
        try:
            found = await client.read_deployment_by_name(deployment_name)
            # A night's job is a run below the one that a person or a schedule started.
            root = await in_thread(lambda: flow_run.root_flow_run_id)
            own = await client.read_flow_run(UUID(str(root)))
        except AWAY:
            yield None
            return
        variables = own.job_variables or {}
        yield SliceRuns(client, found.id, pool=found.work_pool_name, variables=variables)
