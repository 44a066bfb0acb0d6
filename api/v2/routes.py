"""Gather the routes of the Open Inference Protocol."""

from fastapi import FastAPI, Request, Response

from api.online.port import OnlineError
from api.problems import of_refused
from api.v2 import inference, metadata, not_offered, repository, service
from api.v2.kinds import refused


def include_v2(app: FastAPI) -> None:
    """Add the routes under `/v2`, the busiest first, as they are: see `include_management`."""
    for part in (inference, metadata, service, repository, not_offered):
        app.router.routes.extend(part.router.routes)
    app.add_exception_handler(OnlineError, _of_online_error)


async def _of_online_error(request: Request, error: Exception) -> Response:
    """Answer what the engine refuses, in its own words."""
    assert isinstance(error, OnlineError)
    return await of_refused(request, refused(error))
