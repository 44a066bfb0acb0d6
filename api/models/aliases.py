"""Answer for aliases: where they point, and where they pointed."""

from http import HTTPStatus
from typing import Annotated, Literal

from fastapi import APIRouter, Body, Header, Query, Response

from api import errors
from api.answers import answered
from api.anywhere import ANYWHERE
from api.bodies import INVALID, MALFORMED, StrictRoute
from api.dependencies import Needs
from api.fields import AliasName, ModelName, Moment, Why
from api.gateway.authorization import requires
from api.gateway.principal import Principal
from api.kept_route import kept_list
from api.models.schemas import AliasBody, AliasMove, AliasThen, ModelBody
from api.operations import deletes, lists, reads
from api.pages import Asked
from api.pagination import Page
from api.preconditions import CHANGED, MISSING, IfMatch, etag, require, seen
from api.problems import Refused, refusals
from registry.conflicts import AliasMoved
from registry.domain import Alias
from registry.errors import UnknownAlias

_UNKNOWN = (errors.UNKNOWN_MODEL, errors.UNKNOWN_ALIAS)

router = APIRouter(
    prefix="/v1/models", tags=["aliases"], responses=ANYWHERE, route_class=StrictRoute
)

Writer = Annotated[Principal, requires("models:write")]
Approver = Annotated[Principal, requires("models:approve")]


class AliasesPage(Page[AliasBody]):
    """One page of aliases, by name."""


@kept_list(
    router,
    "/{model}/aliases",
    response_model=AliasesPage,
    **lists("models:read", errors.UNKNOWN_MODEL),
)
def list_aliases(needs: Needs, asked: Asked, model: ModelName) -> Response:
    """List a model's aliases by name."""
    page = needs.catalog.aliases(model, after=asked.after_text(), limit=asked.size)
    return asked.answer(map(AliasBody.model_validate, page.items), page.next)


@router.put(
    "/{model}/aliases/{alias}",
    response_model=AliasBody,
    responses=refusals(
        *(MALFORMED, errors.UNKNOWN_MODEL, errors.UNKNOWN_VERSION, errors.APPROVAL_MISSING),
        *(errors.ROUTE_IN_THE_WAY, CHANGED, errors.ALIAS_MOVED, INVALID, MISSING),
    ),
)
def move_alias(
    needs: Needs,
    caller: Writer,
    model: ModelName,
    alias: AliasName,
    move: Annotated[
        AliasMove, Body(examples=[{"version": 1, "from_version": 0, "why": "the first one"}])
    ],
    if_match: IfMatch = None,
    if_none_match: Annotated[
        Literal["*"] | None, Header(description="`*`: the alias must be new.")
    ] = None,
) -> Response:
    """Point an alias to a version, from where the caller believes that it points.

    That is said by `If-Match`, by `If-None-Match: *` for a new alias, or by `from_version`;
    whoever was slower than another gets 412. A protected alias asks for `models:approve` as well,
    and for an approval of the version by somebody else. A route of the alias must fit.
    """
    revision = _expected(needs, model, alias, if_match, is_new=if_none_match is not None)
    if revision is None and move.from_version is None:
        raise Refused(
            MISSING,
            f"say where {model}@{alias} points now: send If-Match with its ETag, If-None-Match: * "
            "for a new alias, or from_version",
        )
    moved = needs.catalog.set_alias(
        model,
        alias,
        move.version,
        by=caller.subject,
        why=move.why,
        from_version=move.from_version,
        if_revision=revision,
        approver=errors.APPROVER in caller.scopes,
    )
    return answered(AliasBody.model_validate(moved), etag=etag(moved.revision))


@router.delete(
    "/{model}/aliases/{alias}", **deletes(*_UNKNOWN, errors.ALIAS_PROTECTED, errors.ALIAS_MOVED)
)
def delete_alias(
    needs: Needs,
    caller: Writer,
    model: ModelName,
    alias: AliasName,
    why: Why = "",
    if_match: IfMatch = None,
) -> Response:
    """Take an alias away."""
    found = needs.catalog.alias(model, alias)
    revision = seen(if_match, found.revision, str(found))
    needs.catalog.delete_alias(model, alias, by=caller.subject, why=why, if_revision=revision)
    return Response(status_code=HTTPStatus.NO_CONTENT)


@router.get(
    "/{model}/aliases/{alias}/at", response_model=AliasThen, **reads("models:read", *_UNKNOWN)
)
def alias_then(
    needs: Needs,
    model: ModelName,
    alias: AliasName,
    time: Annotated[
        Moment,
        Query(description="The moment, with its zone.", examples=["2026-05-03T02:00:00Z"]),
    ],
) -> Response:
    """Return where an alias pointed at a moment, by whose doing and why."""
    event = needs.catalog.alias_at(model, alias, time)
    if event is None:
        raise Refused(
            errors.UNKNOWN_ALIAS,
            f"{model}@{alias} had pointed nowhere by {time:%Y-%m-%dT%H:%M:%SZ}: its history is at "
            f"/v1/models/{model}/events?alias={alias}",
        )
    return answered(
        AliasThen(
            model=model,
            alias=alias,
            at=time,
            version=event.version,
            since=event.at,
            by=event.by,
            why=event.why,
            from_version=event.from_version,
        )
    )


@router.put(
    "/{model}/aliases/{alias}/protection",
    response_model=ModelBody,
    responses=refusals(errors.UNKNOWN_MODEL, errors.ROUTE_IN_THE_WAY, CHANGED, INVALID, MISSING),
)
def protect_alias(
    needs: Needs,
    caller: Approver,
    model: ModelName,
    alias: AliasName,
    why: Why = "",
    if_match: IfMatch = None,
) -> Response:
    """Let an alias go to approved versions only, also one that does not exist yet.

    `If-Match` has the model's `ETag`: which aliases are protected is a part of the model. Canaries
    of the alias must have been approved. The name stays protected when the model is deleted.
    """
    return _protected(needs, caller, model, alias, why, if_match, protected=True)


@router.delete(
    "/{model}/aliases/{alias}/protection",
    response_model=ModelBody,
    responses=refusals(errors.UNKNOWN_MODEL, CHANGED, INVALID, MISSING),
)
def unprotect_alias(
    needs: Needs,
    caller: Approver,
    model: ModelName,
    alias: AliasName,
    why: Why = "",
    if_match: IfMatch = None,
) -> Response:
    """Let an alias go to any version again; `If-Match` has the model's `ETag`."""
    return _protected(needs, caller, model, alias, why, if_match, protected=False)


def _protected(
    needs: Needs,
    caller: Principal,
    model: str,
    alias: str,
    why: str,
    if_match: str | None,
    *,
    protected: bool,
) -> Response:
    revision = seen(if_match, needs.catalog.model(model).revision, f"model {model}")
    changed = needs.catalog.protect_alias(
        model, alias, protected=protected, by=caller.subject, why=why, if_revision=revision
    )
    return answered(ModelBody.model_validate(changed), etag=etag(changed.revision))


def _expected(
    needs: Needs, model: str, alias: str, if_match: str | None, *, is_new: bool
) -> int | None:
    """Return the revision that the alias must have, 0 for none, None where it may be any."""
    if is_new:
        return 0
    if if_match is None:
        return None
    present = _alias(needs, model, alias)
    if present is None:
        raise AliasMoved(model, alias, None)
    require(if_match, etag(present.revision), str(present))
    return present.revision


def _alias(needs: Needs, model: str, alias: str) -> Alias | None:
    try:
        return needs.catalog.alias(model, alias)
    except UnknownAlias:
        return None
