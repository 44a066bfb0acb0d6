"""Say what the service as a whole is, as the Open Inference Protocol asks."""

from importlib.metadata import PackageNotFoundError, version

from fastapi import APIRouter, Request, Response

from api import health
from api.dependencies import Needs
from api.gateway.authorization import requires
from api.problems import refusals
from api.v2.described import as_v2, refusals_v2
from api.v2.metadata import answered

HEALTH = "/v2/health/"
"""What watches the process: answered without a token. `/` ends a prefix."""
EXTENSIONS = (
    "binary_tensor_data",
    "model_configuration",
    "model_repository",
    "parameters",
    "schedule_policy",
    "statistics",
)

router = APIRouter(tags=["inference"])


@router.get("/v2", dependencies=[requires("inference:run")], responses=refusals_v2())
async def about() -> Response:
    """Say what answers, and which extensions of the protocol it has."""
    return answered({"name": "nightshift", "version": _version(), "extensions": EXTENSIONS})


# A redirect would be a failure to stock clients.
router.add_api_route(
    "/v2/",
    about,
    dependencies=[requires("inference:run")],
    responses=refusals_v2(),
    include_in_schema=False,
)


@router.get(f"{HEALTH}live")
async def live() -> Response:
    """Say that the process answers."""
    return answered({"live": True})


@router.get(f"{HEALTH}ready", responses=as_v2(refusals(health.NOT_READY)))
async def ready(request: Request, needs: Needs) -> Response:
    """Say whether there is what requests are answered with, and whether more should be sent."""
    await health.require_ready(request, needs)
    return answered({"live": True, "ready": True})


def _version() -> str:
    try:
        return version("nightshift")
    except PackageNotFoundError:
        return "source"
