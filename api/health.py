"""Answer whoever watches this process: an orchestrator, a load balancer, a person."""

import logging
from http import HTTPStatus

from fastapi import APIRouter, Request, Response
from pydantic import BaseModel

from api.checks import missing
from api.dependencies import Needs
from api.problems import Problem, answer, documented

_log = logging.getLogger(__name__)

NOT_READY = "urn:nightshift:problem:not-ready"
_FRESH = {"Cache-Control": "no-store"}
_RETRY_AFTER_S = 1
"""A lost connection to a server is tried again every second."""

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
    responses={503: documented("Something is missing; `missing` names each with the reason.")},
)
async def ready(request: Request, response: Response, needs: Needs) -> Health | Response:
    """Say whether the registry's database and a Triton server are there to work with."""
    lacking = await missing(needs.checks, deadline_s=needs.settings.check_timeout_s)
    if not lacking:
        response.headers.update(_FRESH)
        return Health(status="ready")
    _log.warning("not ready", extra={"fields": {each.name: each.cause for each in lacking}})
    problem = Problem(
        type=NOT_READY,
        title="Not ready",
        status=HTTPStatus.SERVICE_UNAVAILABLE,
        detail="; ".join(f"{each.name}: {each.reason}" for each in lacking),
        instance=request.url.path,
        # RFC 9457 lets a problem have members of its own; the model takes any.
        missing=[{"name": each.name, "reason": each.reason} for each in lacking],  # type: ignore[call-arg]
    )
    return answer(problem, {**_FRESH, "Retry-After": str(_RETRY_AFTER_S)})
