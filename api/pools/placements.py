"""Answer for placements: which versions the servers of a pool shall serve."""

from collections.abc import Sequence
from functools import partial
from typing import Annotated

from anyio.to_thread import run_sync
from fastapi import APIRouter, Response

from api import errors
from api.answers import answered
from api.anywhere import ANYWHERE
from api.bodies import INVALID, StrictRoute
from api.dependencies import Dependencies, Needs
from api.fields import ModelName, PoolName, VersionNumber, Why
from api.gateway.authorization import requires
from api.gateway.principal import Principal
from api.operations import reads
from api.pools.schemas import LoadBody, OutcomeBody, PlacementBody, PlacementsBody
from api.problems import refusals
from inference.repositories import Outcome, load_everywhere, unload_everywhere
from inference.server import Server
from registry.domain import ModelVersion

_UNKNOWN = (errors.UNKNOWN_POOL, errors.UNKNOWN_MODEL, errors.UNKNOWN_VERSION)

router = APIRouter(
    prefix="/v1/pools", tags=["placements"], responses=ANYWHERE, route_class=StrictRoute
)

Writer = Annotated[Principal, requires("pools:write")]


@router.get(
    "/{pool}/versions", response_model=PlacementsBody, **reads("pools:read", errors.UNKNOWN_POOL)
)
def list_placements(needs: Needs, pool: PoolName) -> Response:
    """List what a pool's servers shall serve."""
    found = needs.fleet.placements(pool=pool)
    return answered(
        PlacementsBody(items=[PlacementBody.model_validate(placement) for placement in found])
    )


@router.put(
    "/{pool}/versions/{model}/{version}",
    response_model=LoadBody,
    responses=refusals(*_UNKNOWN, INVALID),
)
async def load(
    needs: Needs,
    caller: Writer,
    pool: PoolName,
    model: ModelName,
    version: VersionNumber,
    why: Why = "",
) -> Response:
    """Have every server of a pool load a version, those that join or restart later as well.

    What fails on one server is told beside what went well on the others; it is tried again
    every minute. In a pool without an active server nothing is `done`, and the wish stays.
    """
    return answered(await place(needs, pool, model, version, by=caller.subject, why=why))


@router.delete(
    "/{pool}/versions/{model}/{version}",
    response_model=LoadBody,
    responses=refusals(*_UNKNOWN, INVALID),
)
async def unload(
    needs: Needs,
    caller: Writer,
    pool: PoolName,
    model: ModelName,
    version: VersionNumber,
    why: Why = "",
) -> Response:
    """Have every server of a pool let go of a version.

    One that another version of the pool shares, under the same name in Triton, stays loaded.
    """
    return answered(await withdraw(needs, pool, model, version, by=caller.subject, why=why))


async def place(
    needs: Dependencies, pool: str, model: str, version: int, *, by: str, why: str = ""
) -> LoadBody:
    """Wish that a pool has a version, and load it; raises the registry's errors."""
    found = await run_sync(needs.catalog.version, model, version)
    await run_sync(partial(needs.fleet.place, pool, model, version, by=by, why=why))
    servers = await _active(needs, pool)
    outcomes = await load_everywhere(servers, found.served_name, found.served_version)
    return _told(pool, found, outcomes, nothing_is_done=not servers)


async def withdraw(
    needs: Dependencies, pool: str, model: str, version: int, *, by: str, why: str = ""
) -> LoadBody:
    """Wish no more that a pool has a version, and unload it; raises the registry's errors."""
    found = await run_sync(needs.catalog.version, model, version)
    await run_sync(partial(needs.fleet.withdraw, pool, model, version, by=by, why=why))
    servers = await _active(needs, pool)
    if found.served_name in await run_sync(_wanted, needs, pool):
        return _told(pool, found, ())
    return _told(pool, found, await unload_everywhere(servers, found.served_name))


async def _active(needs: Dependencies, pool: str) -> Sequence[Server]:
    """Return the pool's active servers, also one that another process has just registered."""
    await needs.upkeep.refresh()
    opened = needs.open_pools.pool(pool)
    return opened.servers if opened else ()


def _wanted(needs: Dependencies, pool: str) -> set[str]:
    """Return the names in Triton of what the pool shall serve."""
    placements = needs.fleet.placements(pool=pool)
    return {needs.catalog.version(each.model, each.version).served_name for each in placements}


def _told(
    pool: str,
    version: ModelVersion,
    outcomes: tuple[Outcome, ...],
    *,
    nothing_is_done: bool = False,
) -> LoadBody:
    return LoadBody(
        pool=pool,
        model=version.name,
        version=version.version,
        served_name=version.served_name,
        done=not nothing_is_done and all(outcome.error is None for outcome in outcomes),
        outcomes=[OutcomeBody.of(outcome) for outcome in outcomes],
    )
