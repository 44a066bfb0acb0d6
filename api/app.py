"""Put the API together."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware

from api import bodies, docs_page, health, problems
from api.dependencies import open_dependencies
from api.faults import Faults
from api.gateway import demo, exposition
from api.gateway.authentication import Admission, Identification
from api.gateway.body_limits import BodyLimits
from api.gateway.capacity import Capacity
from api.gateway.cors import cors
from api.gateway.draining import Draining
from api.gateway.exposition import Exposition
from api.gateway.gateway import Gateway, gateway_of
from api.gateway.outcomes import Outcomes, possible
from api.gateway.rate_limits import RateLimits
from api.gateway.tracing import Tracing
from api.kept_route import KeptListRoute, KeptRoute
from api.management import include_management
from api.models import reads as model_reads
from api.pools import reads as pool_reads
from api.problems import Refused
from api.settings import Settings
from api.v2.inference import inference_routes
from api.v2.routes import include_v2
from api.v2.service import HEALTH
from api.v2.shortcut import Shortcut

WATCHED_PATHS = ("/health/", HEALTH, exposition.PATH)
"""What watches the process: answered without a token, however busy it is. `/` ends a prefix."""
OPEN_PATHS = (*WATCHED_PATHS, "/docs", "/docs/", "/openapi.json", demo.PATH)
"""What is answered without a token; every other path needs one."""


def create_app(settings: Settings) -> FastAPI:
    """Return the application; its lifespan opens what it works with and closes it.

    Raises `UnsafeConfiguration` rather than let anyone in.
    """
    gateway = gateway_of(settings)

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        gateway.routes.learn(app.routes)
        gateway.metrics.expect(possible(gateway.routes))
        async with (
            gateway.running(),
            open_dependencies(settings, gateway.metrics) as dependencies,
        ):
            app.state.dependencies = dependencies
            yield

    app = FastAPI(
        title="Nightshift",
        summary="Batch-first inference on pools of Triton servers.",
        lifespan=lifespan,
        middleware=_middleware(settings, gateway),
        exception_handlers={
            HTTPException: problems.of_http_error,
            Refused: problems.of_refused,
            RequestValidationError: bodies.of_invalid_request,
        },
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
    )
    app.state.gateway = gateway
    app.state.limiter = gateway.limiter
    token = settings.traffic.metrics_token
    app.state.exposition = Exposition(
        gateway.metrics, token.get_secret_value() if token is not None else None
    )
    for reads in (model_reads, pool_reads):
        app.router.routes.extend(reads.router.routes)
    include_v2(app)
    include_management(app)
    app.include_router(health.router)
    app.include_router(exposition.router)
    app.include_router(docs_page.router)
    if gateway.demo is not None:
        app.include_router(demo.router)
    # Routes are asked in their order: those that are asked for most come first.
    app.router.routes.sort(key=lambda route: not isinstance(route, KeptRoute | KeptListRoute))
    return app


def _middleware(settings: Settings, gateway: Gateway) -> list[Middleware]:
    """Return what a request passes on its way to its route, the first one first."""
    return [
        Middleware(Draining, departure=gateway.departure),
        Middleware(Tracing),
        Middleware(Outcomes, metrics=gateway.metrics, routes=gateway.routes),
        Middleware(Faults),
        *cors(settings.cors),
        Middleware(
            BodyLimits,
            bounds=settings.traffic.body_bounds,
            under={"/v2/models/": settings.traffic.infer_bounds},
        ),
        Middleware(Capacity, most=settings.traffic.max_in_flight, unbounded=WATCHED_PATHS),
        Middleware(Identification, verifier=gateway.verifier, clients=gateway.clients),
        Middleware(RateLimits, limiter=gateway.limiter, uncounted=WATCHED_PATHS),
        Middleware(Admission, open_paths=OPEN_PATHS),
        Middleware(Shortcut, routes=inference_routes()),
    ]
