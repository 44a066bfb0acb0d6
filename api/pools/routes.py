"""Answer for pools."""

from dataclasses import replace
from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, Body, Request, Response

from api import errors
from api.answers import answered, created
from api.anywhere import ANYWHERE
from api.bodies import StrictRoute
from api.dependencies import Needs
from api.fields import PoolName, PrefixQuery, Why
from api.gateway.authorization import requires
from api.gateway.principal import Principal
from api.history import EventsPage, Wanted, events_page
from api.idempotency import IdempotencyKey
from api.kept_route import kept_list
from api.merge_patch import MEDIA_TYPE as MERGE_PATCH
from api.operations import creates, deletes, lists, patches
from api.pages import Asked
from api.pagination import Page
from api.pools.schemas import PoolBody, PoolDraft, PoolPatch
from api.preconditions import IfMatch, etag, require
from registry.creates import Rules
from registry.pools import Pool

router = APIRouter(prefix="/v1/pools", tags=["pools"], responses=ANYWHERE, route_class=StrictRoute)

Writer = Annotated[Principal, requires("pools:write")]


class PoolsPage(Page[PoolBody]):
    """One page of pools, by name."""


@kept_list(router, "", response_model=PoolsPage, **lists("pools:read"))
def list_pools(
    needs: Needs,
    asked: Asked,
    prefix: PrefixQuery = "",
) -> Response:
    """List pools by name."""
    after = asked.after_text(prefix=prefix)
    page = needs.fleet.pools(prefix=prefix, after=after, limit=asked.size)
    return asked.answer(map(PoolBody.model_validate, page.items), page.next, prefix=prefix)


@router.post("", response_model=PoolBody, **creates(errors.ALREADY_EXISTS))
async def create_pool(
    request: Request,
    needs: Needs,
    caller: Writer,
    draft: Annotated[PoolDraft, Body(examples=[{"name": "night", "description": "The A100s"}])],
    idempotency_key: IdempotencyKey = None,
) -> Response:
    """Register a pool without servers."""

    def create(rules: Rules) -> Response:
        pool = rules.fleet.create_pool(draft.name, description=draft.description, by=caller.subject)
        body, tag = PoolBody.model_validate(pool), etag(pool.revision)
        return created(body, within=request, name=pool.name, etag=tag)

    subject = caller.subject
    return await needs.repeats.once(request, idempotency_key, subject=subject, create=create)


@router.patch("/{pool}", response_model=PoolBody, **patches("pools:write", errors.UNKNOWN_POOL))
def change_pool(
    needs: Needs,
    caller: Writer,
    pool: PoolName,
    patch: Annotated[
        PoolPatch, Body(media_type=MERGE_PATCH, examples=[{"description": "The H100s"}])
    ],
    why: Why = "",
    if_match: IfMatch = None,
) -> Response:
    """Change a pool's description by a JSON Merge Patch."""
    present = _required(needs, pool, if_match)
    given = "description" in patch.model_fields_set
    changed = needs.fleet.change_pool(
        pool,
        description=(patch.description or "") if given else present.description,
        by=caller.subject,
        why=why,
        if_revision=present.revision,
    )
    return answered(PoolBody.model_validate(changed), etag=etag(changed.revision))


@router.delete("/{pool}", **deletes(errors.UNKNOWN_POOL, errors.IN_USE))
def delete_pool(
    needs: Needs, caller: Writer, pool: PoolName, why: Why = "", if_match: IfMatch = None
) -> Response:
    """Take a pool away that has neither servers nor versions to serve."""
    present = _required(needs, pool, if_match)
    needs.fleet.delete_pool(pool, by=caller.subject, why=why, if_revision=present.revision)
    return Response(status_code=HTTPStatus.NO_CONTENT)


@router.get("/{pool}/events", response_model=EventsPage, **lists("pools:read", errors.UNKNOWN_POOL))
def list_events(needs: Needs, asked: Asked, pool: PoolName, wanted: Wanted) -> Response:
    """List what happened to a pool, newest first, also when it was deleted since."""
    return events_page(asked, needs.catalog, replace(wanted, pool=pool))


def _required(needs: Needs, name: str, if_match: str | None) -> Pool:
    """Return the pool in the state that the caller has seen; raises `Refused`."""
    pool = needs.fleet.pool(name)
    require(if_match, etag(pool.revision), f"pool {name}")
    return pool
