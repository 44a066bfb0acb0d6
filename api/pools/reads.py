"""Answer which pool there is, mostly from the cache."""

from fastapi import APIRouter, Request, Response

from api import errors
from api.answers import answered, kept
from api.anywhere import ANYWHERE
from api.bodies import INVALID
from api.dependencies import dependencies_of
from api.fields import PoolName
from api.gateway.authorization import requires
from api.kept_route import KeptRoute
from api.pools.schemas import PoolBody
from api.preconditions import IF_NONE_MATCH, NOT_MODIFIED, etag
from api.problems import refusals
from registry.generations import pool_scope

router = APIRouter(prefix="/v1/pools", tags=["pools"], responses=ANYWHERE, route_class=KeptRoute)


@router.get(
    "/{pool}",
    dependencies=[requires("pools:read")],
    response_model=PoolBody,
    responses=NOT_MODIFIED | refusals(errors.UNKNOWN_POOL, INVALID),
    openapi_extra=IF_NONE_MATCH,
)
async def get_pool(request: Request, pool: PoolName) -> Response:
    """Return a pool."""
    needs = dependencies_of(request)

    def look() -> Response:
        found = needs.fleet.pool(pool)
        return answered(PoolBody.model_validate(found), etag=etag(found.revision))

    return await kept(needs.cached, request, pool_scope(pool), look, shape=PoolBody)
