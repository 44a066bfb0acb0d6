"""Ask servers: before they are believed, and of models that are to be registered."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from http import HTTPStatus

from anyio.to_thread import run_sync

from api.dependencies import Dependencies
from api.problems import Kind, Refused
from inference.errors import InferenceError, ServerUnfit
from inference.repositories import load_everywhere
from inference.server import RepositoryEntry, Server
from registry.domain import Signature

SERVERS_CANNOT_SAY = Kind(
    "servers-cannot-say",
    HTTPStatus.CONFLICT,
    "Servers cannot say",
    "No server of the pool loads the model and says what it takes and gives, or two differ.",
)
SERVER_NOT_BELIEVED = Kind(
    "server-not-believed",
    HTTPStatus.UNPROCESSABLE_ENTITY,
    "Server not believed",
    "Nothing at that address answers as a Triton server does.",
)


@dataclass(frozen=True, slots=True)
class Said:
    """What the servers of a pool say of a model."""

    signature: Signature
    """What it takes and gives, the same on each of them."""
    metadata_digest: str
    """`metadata-sha256:…` of what they say."""


async def ask_servers(needs: Dependencies, pool: str, model: str, version: str) -> Said:
    """Have the servers of the pool load the model, return what they say of it.

    Raises `UnknownPool`, or `Refused` when they cannot.
    """
    await run_sync(needs.fleet.pool, pool)
    found = needs.open_pools.pool(pool)
    if found is None:
        raise Refused(SERVERS_CANNOT_SAY, f"pool {pool} has no active server: register one")
    outcomes = await load_everywhere(found.servers, model, version)
    failures = [each.error for each in outcomes if each.error is not None]
    if len(failures) == len(outcomes):
        raise Refused(SERVERS_CANNOT_SAY, "; ".join(str(error) for error in failures))
    try:
        return Said(
            signature=await found.signature(model, version),
            metadata_digest=await found.metadata_digest(model, version),
        )
    except InferenceError as error:
        raise Refused(SERVERS_CANNOT_SAY, str(error)) from error


async def probe(needs: Dependencies, url: str) -> tuple[RepositoryEntry, ...]:
    """Return what the Triton at the address serves; raises `Refused` unless it can say."""
    server = needs.open_pools.connect(url)
    try:
        await _greet(server, url)
        return await server.repository_index()
    except InferenceError as error:
        raise Refused(
            SERVER_NOT_BELIEVED, f"{url} is live and cannot say what it serves: {error}"
        ) from error
    finally:
        await server.close()


async def _greet(server: Server, url: str) -> None:
    try:
        await server.greet()
    except ServerUnfit as error:
        raise Refused(SERVER_NOT_BELIEVED, str(error)) from error
    except InferenceError as error:
        raise Refused(
            SERVER_NOT_BELIEVED,
            f"nothing at {url} says that it is live: start the server, or correct its address "
            "(the gRPC port, 8001 by default)",
        ) from error


async def serving(
    needs: Dependencies, urls: Sequence[str]
) -> list[tuple[RepositoryEntry, ...] | None]:
    """Ask servers at once for what they serve; None for one that cannot be asked."""
    connected = [needs.open_pools.server(url) for url in urls]
    return list(await asyncio.gather(*(_index(server) for server in connected)))


async def _index(server: Server | None) -> tuple[RepositoryEntry, ...] | None:
    if server is None:
        return None
    try:
        return await server.repository_index()
    except InferenceError:
        return None
