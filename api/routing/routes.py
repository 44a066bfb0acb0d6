"""Split an alias's requests, and say where a request would go."""

from http import HTTPStatus
from typing import Annotated, Literal

from fastapi import APIRouter, Body, Header, Query, Response

from api import errors
from api.answers import answered, read
from api.anywhere import ANYWHERE
from api.bodies import INVALID, MALFORMED, StrictRoute
from api.dependencies import Dependencies, Needs
from api.fields import AliasName, ModelName, Number, Why
from api.gateway.authorization import requires
from api.gateway.principal import Principal
from api.online.port import CallRefused, NameUnknown, OnlineName, PoolAway
from api.preconditions import (
    CHANGED,
    MISSING,
    NOT_MODIFIED,
    IfMatch,
    IfNoneMatch,
    etag,
    require,
    seen,
)
from api.problems import Kind, Refused, refusals
from api.routing.schemas import ComparisonBody, ExplanationBody, RouteBody, RouteDraft
from registry.domain import InvalidName, ModelRef, check_name
from registry.routes import Route

_UNKNOWN = (errors.UNKNOWN_MODEL, errors.UNKNOWN_ALIAS)
NO_ROUTE = Kind(
    "unknown-route",
    HTTPStatus.NOT_FOUND,
    "No route",
    "The alias's version answers everything: it has no route, or that has no shadow.",
)
NOT_SERVED = Kind(
    "not-served",
    HTTPStatus.NOT_FOUND,
    "Not served",
    "No registered model and no server's has that name.",
)

router = APIRouter(prefix="/v1", tags=["routing"], responses=ANYWHERE, route_class=StrictRoute)

Writer = Annotated[Principal, requires("models:write")]

_ROUTE = "/models/{model}/aliases/{alias}/route"


@router.get(
    _ROUTE,
    dependencies=[requires("models:read")],
    response_model=RouteBody,
    responses=NOT_MODIFIED | refusals(*_UNKNOWN, NO_ROUTE, INVALID),
)
def get_route(
    needs: Needs, model: ModelName, alias: AliasName, if_none_match: IfNoneMatch = None
) -> Response:
    """Return how an alias's requests are split."""
    found = _route(needs, model, alias)
    return read(RouteBody.of(found), etag=etag(found.revision), if_none_match=if_none_match)


@router.put(
    _ROUTE,
    response_model=RouteBody,
    responses=refusals(
        *(MALFORMED, *_UNKNOWN, errors.UNKNOWN_VERSION, errors.APPROVAL_MISSING, CHANGED),
        *(INVALID, MISSING),
    ),
)
def set_route(
    needs: Needs,
    caller: Writer,
    model: ModelName,
    alias: AliasName,
    draft: Annotated[
        RouteDraft,
        Body(examples=[{"canaries": [{"version": 2, "percent": 10}], "why": "smaller errors"}]),
    ],
    if_match: IfMatch = None,
    if_none_match: Annotated[
        Literal["*"] | None, Header(description="`*`: the route must be new.", examples=["*"])
    ] = None,
) -> Response:
    """Split an alias's requests, in place of the split that the caller has seen.

    That is said by `If-Match`, or by `If-None-Match: *` for a new route. Every version takes and
    gives what the alias's does, and as many rows at a time. Canaries of a protected alias ask for
    `models:approve` as well, and for approvals by somebody else.
    """
    revision = _expected(needs, model, alias, if_match, is_new=if_none_match is not None)
    route = needs.routing.set_route(
        model,
        alias,
        canaries=[canary.share() for canary in draft.canaries],
        shadow=draft.shadow.share() if draft.shadow else None,
        by=caller.subject,
        why=draft.why,
        if_revision=revision,
        approver=errors.APPROVER in caller.scopes,
    )
    return answered(RouteBody.of(route), etag=etag(route.revision))


@router.delete(
    _ROUTE,
    status_code=HTTPStatus.NO_CONTENT,
    responses=refusals(*_UNKNOWN, NO_ROUTE, CHANGED, INVALID, MISSING),
)
def clear_route(
    needs: Needs,
    caller: Writer,
    model: ModelName,
    alias: AliasName,
    why: Why = "",
    if_match: IfMatch = None,
) -> Response:
    """Let the alias's version answer everything again.

    Canaries of a protected alias ask for `models:approve` as well.
    """
    found = _route(needs, model, alias)
    needs.routing.clear_route(
        model,
        alias,
        by=caller.subject,
        why=why,
        if_revision=seen(if_match, found.revision, f"the route of {found}"),
        approver=errors.APPROVER in caller.scopes,
    )
    return Response(status_code=HTTPStatus.NO_CONTENT)


@router.get(
    f"{_ROUTE}/comparison",
    dependencies=[requires("models:read")],
    response_model=ComparisonBody,
    responses=refusals(*_UNKNOWN, NO_ROUTE, INVALID),
)
def compare_shadow(needs: Needs, model: ModelName, alias: AliasName) -> Response:
    """Return how a shadow's answers compare with those that callers got.

    Counted by the process that answers, since it began; the metrics add up several.
    """
    found = _route(needs, model, alias)
    if found.shadow is None:
        raise Refused(NO_ROUTE, f"the route of {found} has no shadow")
    counts = needs.online.shadow_counts(str(found), found.shadow.version)
    return answered(ComparisonBody.of(found, found.shadow.version, counts))


@router.get(
    "/routing/explain",
    dependencies=[requires("models:read")],
    response_model=ExplanationBody,
    responses=refusals(NOT_SERVED, errors.UNAVAILABLE, INVALID),
)
async def explain(
    needs: Needs,
    model: Annotated[
        str,
        Query(
            max_length=300,
            description="`NAME`, `NAME@ALIAS` or `NAME@VERSION`.",
            examples=["churn@champion"],
        ),
    ],
    sticky_key: Annotated[
        str, Query(max_length=256, description="The key that the request would have.")
    ] = "",
    pinned: Annotated[
        Number | None, Query(description="The version that the request would pin.")
    ] = None,
) -> Response:
    """Say which version and server a request would get now, and why."""
    try:
        name = _named(model)
        explanation = await needs.online.explain(name, key=sticky_key, pinned=pinned)
    except NameUnknown as error:
        raise Refused(NOT_SERVED, str(error)) from error
    except (CallRefused, InvalidName) as error:
        raise Refused(INVALID, str(error)) from error
    except PoolAway as error:
        after = {"Retry-After": f"{error.retry_after_s:.0f}"}
        raise Refused(errors.UNAVAILABLE, str(error), headers=after) from error
    return answered(ExplanationBody.of(explanation))


def _named(model: str) -> OnlineName:
    if "@" not in model:
        return OnlineName(check_name(model, "model"))
    ref = ModelRef.parse(model)
    return OnlineName(ref.name, ref.alias, ref.version)


def _route(needs: Dependencies, model: str, alias: str) -> Route:
    found = needs.routing.route(model, alias)
    if found is None:
        raise Refused(NO_ROUTE, f"{model}@{alias} has no route: its version answers everything")
    return found


def _expected(
    needs: Dependencies, model: str, alias: str, if_match: str | None, *, is_new: bool
) -> int:
    """Return the revision that the route must have, 0 for none; raises `Refused`."""
    if is_new:
        return 0
    found = needs.routing.route(model, alias)
    present = etag(found.revision if found else 0)
    if found is None and if_match is not None:
        raise Refused(CHANGED, f"{model}@{alias} has no route: send If-None-Match: *")
    require(if_match, present, f"the route of {model}@{alias}")
    return found.revision if found else 0
