"""Refuse the parts of Triton's protocol that make no sense in front of several servers."""

from collections.abc import Awaitable, Callable

from fastapi import APIRouter, Response

from api.gateway.authorization import requires
from api.problems import Refused
from api.v2.kinds import NOT_OFFERED

router = APIRouter(dependencies=[requires("inference:run")], include_in_schema=False)

_REGIONS = ("/v2/systemsharedmemory", "/v2/cudasharedmemory")
PATHS = (
    *(f"{region}{place}/status" for region in _REGIONS for place in ("", "/region/{region}")),
    *(
        f"{region}{place}/{change}"
        for region in _REGIONS
        for place in ("", "/region/{region}")
        for change in ("register", "unregister")
    ),
    "/v2/trace/setting",
    "/v2/models/{model}/trace/setting",
    "/v2/logging",
    "/v2/models/{model}/generate",
    "/v2/models/{model}/generate_stream",
    "/v2/models/{model}/versions/{version}/generate",
    "/v2/models/{model}/versions/{version}/generate_stream",
)
"""Shared memory lies on one machine; settings and streams belong to one server."""


def _refusing(path: str) -> Callable[[], Awaitable[Response]]:
    async def refuse() -> Response:
        raise Refused(NOT_OFFERED, f"{path} is not offered here: ask a server of the pool itself")

    return refuse


for _path in PATHS:
    router.add_api_route(_path, _refusing(_path), methods=["GET", "POST"])
