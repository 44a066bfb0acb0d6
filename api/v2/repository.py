"""List what can be asked for, and have pools load or let go of it."""

from http import HTTPStatus
from typing import Annotated, Any

import orjson
from anyio.to_thread import run_sync
from fastapi import APIRouter, Request, Response

from api import errors
from api.dependencies import Dependencies, Needs
from api.gateway.authorization import requires
from api.gateway.principal import Principal
from api.pools.placements import place, withdraw
from api.pools.schemas import LoadBody
from api.pools.upkeep import SETTINGS_POOL
from api.problems import Kind, Refused
from api.v2 import kinds
from api.v2.described import V2Model, refusals_v2
from api.v2.kinds import malformed
from api.v2.metadata import answered
from api.v2.names import name_of

LOAD_FAILED = Kind(
    "load-failed",
    HTTPStatus.SERVICE_UNAVAILABLE,
    "Not done everywhere",
    "A server did not do what was asked; loading is tried again every minute.",
)

_INDEXED = {
    "requestBody": {
        "content": {
            "application/json": {"schema": {"type": "object", "examples": [{"ready": True}]}}
        }
    }
}
_POOLED = {
    "requestBody": {
        "content": {
            "application/json": {
                "schema": {"type": "object", "examples": [{"parameters": {"pool": "default"}}]}
            }
        }
    }
}
_REFUSED = refusals_v2(
    kinds.MALFORMED,
    kinds.MODEL_UNKNOWN,
    kinds.CALL_REFUSED,
    kinds.POOL_AWAY,
    errors.UNKNOWN_POOL,
    errors.UNKNOWN_VERSION,
    LOAD_FAILED,
)

router = APIRouter(prefix="/v2/repository", tags=["inference"], responses=_REFUSED)

Admin = Annotated[Principal, requires("pools:write")]


@router.post("/index", dependencies=[requires("inference:run")], openapi_extra=_INDEXED)
async def index(request: Request, needs: Needs) -> Response:
    """List what can be asked for; `ready` leaves out what no server has ready."""
    only_ready = (await _told(request)).get("ready", False)
    if not isinstance(only_ready, bool):
        raise malformed("`ready` must be true or false")
    found = await needs.online.index()
    return answered(
        [
            {
                "name": entry.name,
                "version": entry.version,
                "state": entry.state,
                "reason": entry.reason,
            }
            for entry in found
            if entry.state == "READY" or not only_ready
        ]
    )


@router.post("/models/{model}/load", openapi_extra=_POOLED)
async def load(request: Request, needs: Needs, caller: Admin, model: V2Model) -> Response:
    """Have every server of a pool load a registered model's version, now and after restarts."""
    pool = await _pool(request)
    found = await needs.online.describe(name_of(model))
    version = _number(found.name, found.version)
    _require_done(await place(needs, pool, found.name, version, by=caller.subject))
    return answered({})


@router.post("/models/{model}/unload", openapi_extra=_POOLED)
async def unload(request: Request, needs: Needs, caller: Admin, model: V2Model) -> Response:
    """Have every server of a pool let go of a model: of all its versions, or the one named."""
    pool, name = await _pool(request), name_of(model)
    versions = await _placed(needs, pool, name.model)
    if name.alias is not None or name.version is not None:
        found = await needs.online.describe(name)
        versions = [_number(found.name, found.version)]
    for version in versions:
        _require_done(await withdraw(needs, pool, name.model, version, by=caller.subject))
    return answered({})


async def _placed(needs: Dependencies, pool: str, model: str) -> list[int]:
    """Return the versions of a registered model that the pool shall serve."""
    await run_sync(needs.catalog.model, model)
    placements = await run_sync(lambda: needs.fleet.placements(pool=pool))
    return [placement.version for placement in placements if placement.model == model]


async def _told(request: Request) -> dict[str, Any]:
    """Return the body's JSON object; stock clients send none."""
    body = await request.body()
    if not body:
        return {}
    try:
        told = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise malformed(f"the JSON cannot be read: {error.msg}, at byte {error.pos}") from error
    if not isinstance(told, dict):
        raise malformed("the body must be a JSON object")
    return told


async def _pool(request: Request) -> str:
    parameters = (await _told(request)).get("parameters") or {}
    pool = parameters.get("pool", SETTINGS_POOL) if isinstance(parameters, dict) else None
    if not isinstance(pool, str):
        raise malformed("`parameters` must be an object, its `pool` a pool's name")
    return pool


def _number(model: str, version: str) -> int:
    if not version.isdecimal():
        raise malformed(f"{model!r} has no version that could be loaded: register one")
    return int(version)


def _require_done(told: LoadBody) -> None:
    if not told.done:
        failed = [f"{each.server}: {each.detail}" for each in told.outcomes if not each.done]
        words = "; ".join(failed) or f"pool {told.pool} has no active server"
        raise Refused(LOAD_FAILED, words, headers={"Retry-After": "60"})
