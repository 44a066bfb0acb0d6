"""Answer for the servers of a pool."""

from collections.abc import Callable, Sequence
from functools import partial
from http import HTTPStatus
from typing import Annotated

from anyio.to_thread import run_sync
from fastapi import APIRouter, Body, Query, Request, Response

from api import errors
from api.answers import answered, created
from api.anywhere import ANYWHERE
from api.bodies import StrictRoute
from api.dependencies import Dependencies, Needs
from api.fields import PoolName, ServerAddress, Why
from api.gateway.authorization import requires
from api.gateway.principal import Principal
from api.idempotency import IdempotencyKey
from api.merge_patch import MEDIA_TYPE as MERGE_PATCH
from api.operations import creates, deletes, lists, patches, reads
from api.pages import Asked
from api.pagination import Page
from api.pools.asking import SERVER_NOT_BELIEVED, probe, serving
from api.pools.schemas import ServerBody, ServerDraft, ServerPatch
from api.preconditions import IfMatch, etag, require
from inference.addresses import check_address
from registry.creates import Rules
from registry.errors import KNOWN_NAMES, UnknownServer
from registry.pools import PoolServer, ServerState

_UNKNOWN = (errors.UNKNOWN_POOL, errors.UNKNOWN_SERVER)

router = APIRouter(
    prefix="/v1/pools", tags=["servers"], responses=ANYWHERE, route_class=StrictRoute
)

Writer = Annotated[Principal, requires("pools:write")]


class ServersPage(Page[ServerBody]):
    """One page of servers, by address."""


@router.get(
    "/{pool}/servers", response_model=ServersPage, **lists("pools:read", errors.UNKNOWN_POOL)
)
async def list_servers(
    needs: Needs,
    asked: Asked,
    pool: PoolName,
    removed: Annotated[bool, Query(description="Also those that were removed.")] = False,
) -> Response:
    """List a pool's servers with what each serves, its load and its breaker."""
    after = asked.after_text(removed=removed)
    look = partial(needs.fleet.servers, pool, removed=removed, after=after, limit=asked.size)
    page = await run_sync(look)
    return asked.answer(await _bodies(needs, page.items), page.next, removed=removed)


@router.post(
    "/{pool}/servers",
    response_model=ServerBody,
    **creates(errors.UNKNOWN_POOL, errors.SERVER_TAKEN, SERVER_NOT_BELIEVED),
)
async def add_server(
    request: Request,
    needs: Needs,
    caller: Writer,
    pool: PoolName,
    draft: Annotated[ServerDraft, Body(examples=[{"url": "127.0.0.1:8001"}])],
    idempotency_key: IdempotencyKey = None,
) -> Response:
    """Register a server, once it has been probed; what its pool shall serve is loaded on it.

    One that drains or was removed is asked again.
    """

    async def look() -> Callable[[PoolServer], ServerBody]:
        url = check_address(draft.url)
        await run_sync(needs.fleet.pool, pool)
        serves = await probe(needs, url)
        return partial(ServerBody.of, health=needs.open_pools.health(url), serves=serves)

    def create(rules: Rules, told: Callable[[PoolServer], ServerBody]) -> Response:
        url = check_address(draft.url)
        server = rules.fleet.add_server(pool, url, by=caller.subject, why=draft.why)
        return created(told(server), within=request, name=url, etag=etag(server.revision))

    response = await needs.repeats.once_after(
        request, idempotency_key, subject=caller.subject, look=look, create=create
    )
    await needs.upkeep.refresh()
    return response


@router.get("/{pool}/servers/{server}", response_model=ServerBody, **reads("pools:read", *_UNKNOWN))
async def get_server(needs: Needs, pool: PoolName, server: ServerAddress) -> Response:
    """Return a server with what it serves, its load and its breaker."""
    return await _told(needs, await run_sync(needs.fleet.server, pool, server))


@router.patch(
    "/{pool}/servers/{server}", response_model=ServerBody, **patches("pools:write", *_UNKNOWN)
)
async def change_server(
    needs: Needs,
    caller: Writer,
    pool: PoolName,
    server: ServerAddress,
    patch: Annotated[ServerPatch, Body(media_type=MERGE_PATCH, examples=[{"state": "draining"}])],
    why: Why = "",
    if_match: IfMatch = None,
) -> Response:
    """Drain a server, which finishes what it has, or have it asked again."""
    revision = await _required(needs, pool, server, if_match)
    set_state: Callable[..., PoolServer] = needs.fleet.add_server
    if patch.state == "draining":
        set_state = partial(needs.fleet.retire_server, state=ServerState.DRAINING)
    change = partial(set_state, pool, server, by=caller.subject, why=why, if_revision=revision)
    changed = await run_sync(change)
    await needs.upkeep.refresh()
    return await _told(needs, changed)


@router.delete("/{pool}/servers/{server}", **deletes(*_UNKNOWN))
async def remove_server(
    needs: Needs,
    caller: Writer,
    pool: PoolName,
    server: ServerAddress,
    why: Why = "",
    if_match: IfMatch = None,
) -> Response:
    """Take a server out of its pool; what is under way on it is finished."""
    revision = await _required(needs, pool, server, if_match)
    retire = partial(needs.fleet.retire_server, by=caller.subject, why=why, if_revision=revision)
    await run_sync(retire, pool, server, ServerState.REMOVED)
    await needs.upkeep.refresh()
    return Response(status_code=HTTPStatus.NO_CONTENT)


async def _required(needs: Dependencies, pool: str, url: str, if_match: str | None) -> int:
    """Return the revision that the caller has seen of the server.

    Raises `Refused` for another, `UnknownServer` for a server that was removed.
    """
    found = await run_sync(needs.fleet.server, pool, url)
    if found.state is ServerState.REMOVED:
        there = await run_sync(partial(needs.fleet.servers, pool, limit=KNOWN_NAMES))
        raise UnknownServer(pool, url, [each.url for each in there.items])
    require(if_match, etag(found.revision), f"server {url}")
    return found.revision


async def _told(needs: Dependencies, server: PoolServer) -> Response:
    (body,) = await _bodies(needs, [server])
    return answered(body, etag=etag(server.revision))


async def _bodies(needs: Dependencies, servers: Sequence[PoolServer]) -> list[ServerBody]:
    serves = await serving(needs, [server.url for server in servers])
    return [
        ServerBody.of(server, needs.open_pools.health(server.url), entries)
        for server, entries in zip(servers, serves, strict=True)
    ]
