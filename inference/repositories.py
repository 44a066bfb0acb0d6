"""Have each server of a pool load or let go of a model, and say how it went on each."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

from inference.errors import InferenceError, ModelNotReady, ServerUnfit, ServerUnreachable
from inference.server import Server


@dataclass(frozen=True, slots=True)
class Outcome:
    """How it went on one server."""

    server: str
    """Its address."""
    error: InferenceError | None
    """Why it did not do what was asked; None when it did."""


async def load_everywhere(
    servers: Sequence[Server], model: str, version: str
) -> tuple[Outcome, ...]:
    """Have every server load the model at once, those left out that serve the version already.

    In the order of `servers`; what fails on one is tried to the end on the others.
    """

    async def load(server: Server) -> None:
        if await server.model_ready(model, version):
            return
        await _require_live(server)
        await server.load(model)
        if not await server.model_ready(model, version):
            raise ModelNotReady(
                f"{server.url} loaded {model!r} and does not serve its version {version}: see "
                "that its model repository holds that version",
                server=server.url,
            )

    return await _everywhere(servers, load)


async def unload_everywhere(servers: Sequence[Server], model: str) -> tuple[Outcome, ...]:
    """Have every server let go of the model at once; safe to repeat."""

    async def unload(server: Server) -> None:
        await _require_live(server)
        await server.unload(model)

    return await _everywhere(servers, unload)


async def _require_live(server: Server) -> None:
    """Raise `ServerUnreachable` soon: a load may take minutes, so its time limit is long."""
    try:
        await server.greet()
    except ServerUnfit:
        raise
    except InferenceError as error:
        raise ServerUnreachable(f"{server.url} does not answer", server=server.url) from error


async def _everywhere(
    servers: Sequence[Server], do: Callable[[Server], Awaitable[None]]
) -> tuple[Outcome, ...]:
    return tuple(await asyncio.gather(*(_outcome(server, do) for server in servers)))


async def _outcome(server: Server, do: Callable[[Server], Awaitable[None]]) -> Outcome:
    try:
        await do(server)
    except InferenceError as error:
        return Outcome(server.url, error)
    return Outcome(server.url, None)
