"""Have nights of the past scored by the nightly deployment."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from uuid import UUID

import httpx
from prefect.client.orchestration import get_client
from prefect.exceptions import ObjectNotFound
from prefect.settings import get_current_settings

from flows.errors import NoDeployment, PrefectAway, PrefectRefused

_POLL_S = 2.0
"""Between two looks at a run that is waited for: people wait for minutes."""


@dataclass(frozen=True, slots=True)
class Submitted:
    """A run that Prefect has taken in."""

    id: UUID
    """Its id."""
    page: str
    """Where people watch it; empty when Prefect does not say."""


def submit_backfill(
    deployment: str, first: date, last: date, *, submitted: Callable[[Submitted], None], wait: bool
) -> str:
    """Have the nights from `first` to `last` scored; returns the state, `Scheduled` without `wait`.

    `submitted` is told of the run. What is scored is in the deployment. Safe to repeat: published
    nights are passed over. Raises `NoDeployment`, `PrefectAway` and `PrefectRefused`.
    """
    url = get_current_settings().api.url or "its address"
    try:
        return asyncio.run(_submit(deployment, first, last, submitted, wait))
    except httpx.HTTPStatusError as error:
        status = error.response.status_code
        raise PrefectRefused(url, f"{status} {error.response.reason_phrase}".strip()) from error
    except httpx.HTTPError as error:
        raise PrefectAway(url, str(error) or type(error).__name__) from error


async def _submit(
    deployment: str, first: date, last: date, submitted: Callable[[Submitted], None], wait: bool
) -> str:
    async with get_client() as client:
        try:
            found = await client.read_deployment_by_name(deployment)
        except ObjectNotFound as error:
            raise NoDeployment(deployment) from error
        nights = {"first": first.isoformat(), "last": last.isoformat()}
        run = await client.create_flow_run_from_deployment(found.id, parameters=nights)
        ui = get_current_settings().ui_url
        submitted(Submitted(run.id, f"{ui}/runs/flow-run/{run.id}" if ui else ""))
        while wait and not (run.state is not None and run.state.is_final()):
            await asyncio.sleep(_POLL_S)
            run = await client.read_flow_run(run.id)
        if run.state is None:
            return "Scheduled"
        told = f": {run.state.message}" if run.state.is_failed() and run.state.message else ""
        return f"{run.state.name}{told}"
