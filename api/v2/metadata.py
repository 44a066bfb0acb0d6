"""Say what models take and give, how they are and what they did."""

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

import orjson
from fastapi import APIRouter, Request, Response

from api.dependencies import dependencies_of
from api.gateway.authorization import requires
from api.online.port import OnlineName
from api.problems import Kind, Refused
from api.v2 import kinds
from api.v2.described import V2Bare, V2Model, V2Version, refusals_v2
from api.v2.names import name_of
from registry.domain import TensorSpec

NOT_READY = Kind(
    "model-not-ready",
    HTTPStatus.SERVICE_UNAVAILABLE,
    "Model not ready",
    "No server has the model ready now.",
)
_ABOUT = refusals_v2(kinds.MODEL_UNKNOWN, kinds.POOL_AWAY, kinds.CALL_REFUSED)

router = APIRouter(
    tags=["inference"],
    dependencies=[requires("inference:run")],
    responses=_ABOUT,
)


# Before `/v2/models/{model}`: a model of that name cannot be addressed there.
@router.get("/v2/models/stats")
async def statistics(request: Request) -> Response:
    """Say what each server did with each model."""
    found = await dependencies_of(request).online.statistics(None)
    return answered({"model_stats": list(found)})


@router.get("/v2/models/{model}/stats")
async def model_statistics(request: Request, model: V2Model) -> Response:
    """Say what each server did with a model."""
    return await _statistics(request, name_of(model))


@router.get("/v2/models/{model}/versions/{version}/stats")
async def version_statistics(request: Request, model: V2Bare, version: V2Version) -> Response:
    """Say what each server did with a version."""
    return await _statistics(request, name_of(model, version))


@router.get("/v2/models/{model}")
async def metadata(request: Request, model: V2Model) -> Response:
    """Say what a model takes and gives."""
    return await _metadata(request, name_of(model))


@router.get("/v2/models/{model}/versions/{version}")
async def version_metadata(request: Request, model: V2Bare, version: V2Version) -> Response:
    """Say what a version takes and gives."""
    return await _metadata(request, name_of(model, version))


@router.get("/v2/models/{model}/ready", responses=refusals_v2(kinds.POOL_AWAY, NOT_READY))
async def ready(request: Request, model: V2Model) -> Response:
    """Say whether a server has a model ready now: 503 where none has."""
    return await _ready(request, name_of(model))


@router.get(
    "/v2/models/{model}/versions/{version}/ready",
    responses=refusals_v2(kinds.POOL_AWAY, NOT_READY),
)
async def version_ready(request: Request, model: V2Bare, version: V2Version) -> Response:
    """Say whether a server has a version ready now: 503 where none has."""
    return await _ready(request, name_of(model, version))


@router.get("/v2/models/{model}/config")
async def config(request: Request, model: V2Model) -> Response:
    """Return Triton's configuration of a model."""
    return answered(await dependencies_of(request).online.config(name_of(model)))


@router.get("/v2/models/{model}/versions/{version}/config")
async def version_config(request: Request, model: V2Bare, version: V2Version) -> Response:
    """Return Triton's configuration of a version."""
    return answered(await dependencies_of(request).online.config(name_of(model, version)))


def answered(told: object) -> Response:
    """Return the JSON as an answer: plain, clients do not undo compression here."""
    return Response(orjson.dumps(told), media_type="application/json")


async def _metadata(request: Request, name: OnlineName) -> Response:
    found = await dependencies_of(request).online.describe(name)
    return answered(
        {
            "name": found.name,
            "versions": found.versions,
            "platform": found.platform,
            "inputs": [_tensor(spec) for spec in found.inputs],
            "outputs": [_tensor(spec) for spec in found.outputs],
        }
    )


async def _ready(request: Request, name: OnlineName) -> Response:
    if not await dependencies_of(request).online.ready(name):
        raise Refused(NOT_READY, f"no server has {name} ready now", headers={"Retry-After": "1"})
    return answered({"name": name.model, "ready": True})


async def _statistics(request: Request, name: OnlineName) -> Response:
    found = await dependencies_of(request).online.statistics(name)
    return answered({"model_stats": list(found)})


def _tensor(spec: TensorSpec) -> Mapping[str, Any]:
    return {"name": spec.name, "datatype": spec.datatype, "shape": spec.shape}
