"""Put the API together."""

import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware

from api import health, problems
from api.dependencies import open_dependencies
from api.faults import Faults
from api.gateway import demo, refusals
from api.gateway.authentication import Admission, Identification
from api.gateway.boot import signing_secret
from api.gateway.keys import SharedSecret
from api.gateway.refusals import Refusal
from api.gateway.tokens import Verifier
from api.settings import Settings

OPEN_PATHS = ("/health/", "/docs", "/openapi.json", demo.PATH)
"""What is answered without a token; a prefix ends with `/`."""


def create_app(settings: Settings) -> FastAPI:
    """Return the application; its lifespan opens what it works with and closes it.

    Raises `UnsafeConfiguration` rather than let anyone in.
    """
    secret = signing_secret(settings.tokens, host=settings.api.host)
    assert secret is not None
    verifier = Verifier(SharedSecret(secret), settings.tokens.expected, clock=time.time)

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        async with open_dependencies(settings) as dependencies:
            app.state.dependencies = dependencies
            yield

    app = FastAPI(
        title="Nightshift",
        summary="Batch-first inference on pools of Triton servers.",
        lifespan=lifespan,
        middleware=[
            Middleware(Faults),
            Middleware(Identification, verifier=verifier),
            Middleware(Admission, open_paths=OPEN_PATHS),
        ],
        exception_handlers={
            HTTPException: problems.of_http_error,
            Refusal: refusals.of_refusal,
        },
        redoc_url=None,
        redirect_slashes=False,
    )
    app.include_router(health.router)
    if settings.tokens.environment == "development":
        app.include_router(demo.router)
        app.state.demo = demo.Demo(secret, settings.tokens, clock=time.time)
    return app
