"""Serve the API with a few more routes, as a process of its own that tests may strain and kill."""

import asyncio
import socket
from pathlib import Path
from typing import Annotated

from fastapi import APIRouter, Body, Request

from api.app import create_app
from api.gateway.authorization import requires
from api.server import answer
from api.settings import Settings

router = APIRouter(prefix="/probe")


@router.get("/slow/{ms}", dependencies=[requires("models:read")])
async def slow(ms: int) -> dict[str, int]:
    """Answer after so many milliseconds."""
    await asyncio.sleep(ms / 1000)
    return {"ms": ms}


@router.get("/held", dependencies=[requires("models:read")])
async def held(until: Path) -> dict[str, bool]:
    """Answer once there is that file."""
    while not until.exists():  # noqa: ASYNC240  # a look at the local disk, for a test
        await asyncio.sleep(0.02)
    return {"held": True}


@router.get("/models/{model}", dependencies=[requires("models:read")])
async def named(model: str) -> str:
    """Say which model was named."""
    return model


@router.post("/parsed", dependencies=[requires("models:write")])
async def parsed(body: Annotated[dict[str, str], Body()]) -> dict[str, int]:
    """Say how many members the body has."""
    return {"members": len(body)}


@router.post("/streamed", dependencies=[requires("models:write")])
async def streamed(request: Request) -> dict[str, int]:
    """Say how many bytes the body has."""
    return {"bytes": sum([len(part) async for part in request.stream()])}


@router.get("/fault", dependencies=[requires("models:read")])
async def fault() -> None:
    """Meet a fault."""
    raise ZeroDivisionError("secret")


def main() -> None:
    """Answer on the configured port until a signal."""
    settings = Settings.read()
    app = create_app(settings)
    app.include_router(router)
    listener = socket.create_server((settings.api.host, settings.api.port))
    asyncio.run(answer(app, settings, listener, lambda: None))


if __name__ == "__main__":
    main()
