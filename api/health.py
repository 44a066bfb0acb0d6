"""Answer whoever watches this process: an orchestrator, a load balancer, a person."""

from http import HTTPStatus

from fastapi import APIRouter, Request, Response
from pydantic import BaseModel

from api.checks import Missing, missing
from api.dependencies import Dependencies, Needs
from api.gateway.gateway import Gateway
from api.problems import Kind, Refused, refusals
from telemetry.logs import logger

_log = logger(__name__)

NOT_READY = Kind(
    "not-ready",
    HTTPStatus.SERVICE_UNAVAILABLE,
    "Not ready",
    "Something is missing; `missing` names each with the reason.",
)
_FRESH = {"Cache-Control": "no-store"}
_RETRY_AFTER_S = 1
"""A lost connection to a server is tried again every second."""
_LEAVING = Missing("server", "it is about to end", cause="it was told to end")

router = APIRouter(prefix="/health", tags=["health"])


class Health(BaseModel):
    """How the process is."""

    status: str
    """`live` or `ready`."""


@router.get("/live")
async def live(response: Response) -> Health:
    """Say that the process answers. Nothing else is looked at: restarting would not mend it."""
    response.headers.update(_FRESH)
    return Health(status="live")


@router.get(
    "/ready",
    response_model=Health,
    responses=refusals(NOT_READY),
)
async def ready(request: Request, response: Response, needs: Needs) -> Health:
    """Say whether there is what requests are answered with, and whether more should be sent."""
    await require_ready(request, needs)
    response.headers.update(_FRESH)
    return Health(status="ready")


async def require_ready(request: Request, needs: Dependencies) -> None:
    """Raise `Refused` when something is missing, or no more requests should be sent."""
    gateway = _gateway(request)
    checks = (*gateway.checks, *needs.checks)
    lacking = await missing(checks, deadline_s=needs.settings.check_timeout_s)
    if gateway.departure.announced:
        lacking = (_LEAVING, *lacking)
    if not lacking:
        return
    _log.warning("not ready", **{each.name: each.cause for each in lacking})
    raise Refused(
        NOT_READY,
        "; ".join(f"{each.name}: {each.reason}" for each in lacking),
        headers={**_FRESH, "Retry-After": str(_RETRY_AFTER_S)},
        members={"missing": [{"name": each.name, "reason": each.reason} for each in lacking]},
    )


def _gateway(request: Request) -> Gateway:
    gateway = request.app.state.gateway
    assert isinstance(gateway, Gateway)
    return gateway
