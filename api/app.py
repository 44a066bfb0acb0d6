"""Put the API together."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware

from api import health, problems
from api.dependencies import open_dependencies
from api.faults import Faults
from api.settings import Settings


def create_app(settings: Settings) -> FastAPI:
    """Return the application; its lifespan opens what it works with and closes it."""

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        async with open_dependencies(settings) as dependencies:
            app.state.dependencies = dependencies
            yield

    app = FastAPI(
        title="Nightshift",
        summary="Batch-first inference on pools of Triton servers.",
        lifespan=lifespan,
        middleware=[Middleware(Faults)],
        exception_handlers={HTTPException: problems.of_http_error},
    )
    app.include_router(health.router)
    return app
