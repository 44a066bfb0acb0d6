"""Answer for versions of models."""

from functools import partial
from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, Body, Request, Response

from api import errors
from api.answers import answered, created
from api.anywhere import ANYWHERE
from api.bodies import StrictRoute
from api.dependencies import Dependencies, Needs
from api.fields import ModelName, TagQuery, VersionNumber, WhoQuery, Why, tag_of
from api.gateway.authorization import requires
from api.gateway.principal import Principal
from api.idempotency import IdempotencyKey
from api.kept_route import kept_list
from api.models.examples import DRAFT
from api.models.schemas import ApprovalBody, ApprovalsBody, Reason, VersionBody, VersionDraft
from api.operations import creates, deletes, lists, reads
from api.pages import Asked
from api.pagination import Page
from api.pools.asking import SERVERS_CANNOT_SAY, ask_servers
from api.preconditions import IfMatch, etag, require
from api.problems import Refused
from registry.creates import Rules
from registry.domain import Signature
from registry.pages import TagFilter, VersionFilter

VERSION_ETAG = etag(1)
"""A version's row never changes."""
_UNKNOWN = (errors.UNKNOWN_MODEL, errors.UNKNOWN_VERSION)

router = APIRouter(
    prefix="/v1/models", tags=["versions"], responses=ANYWHERE, route_class=StrictRoute
)


class VersionsPage(Page[VersionBody]):
    """One page of versions, newest first."""


@kept_list(
    router,
    "/{model}/versions",
    response_model=VersionsPage,
    **lists("models:read", errors.UNKNOWN_MODEL),
)
def list_versions(
    needs: Needs,
    asked: Asked,
    model: ModelName,
    tag: TagQuery = None,
    created_by: WhoQuery = None,
) -> Response:
    """List a model's versions, newest first."""
    filters = {"tag": tag, "created_by": created_by}
    found = tag_of(tag)
    wanted = VersionFilter(TagFilter(*found) if found else None, created_by)
    after = asked.after_number(**filters)
    page = needs.catalog.versions(model, wanted, after=after, limit=asked.size)
    return asked.answer(map(VersionBody.of, page.items), page.next, **filters)


@router.post(
    "/{model}/versions",
    response_model=VersionBody,
    **creates(errors.UNKNOWN_POOL, SERVERS_CANNOT_SAY),
)
async def register_version(
    request: Request,
    needs: Needs,
    caller: Annotated[Principal, requires("models:write")],
    model: ModelName,
    draft: Annotated[VersionDraft, Body(examples=[DRAFT])],
    idempotency_key: IdempotencyKey = None,
) -> Response:
    """Register a version, and its model if that is new.

    Without a `signature` the servers of `pool` load the model and are asked. The same content
    again gives the version that is there.
    """
    by = caller.subject
    create = partial(_registered, model=model, draft=draft, request=request, by=by)
    if draft.signature is not None and draft.digest is not None:
        sent = draft.signature.value(), draft.digest
        return await needs.repeats.once(
            request, idempotency_key, subject=by, create=lambda rules: create(rules, sent)
        )
    look = partial(_described, needs, draft)
    return await needs.repeats.once_after(
        request, idempotency_key, subject=by, look=look, create=create
    )


@router.delete("/{model}/versions/{version}", **deletes(*_UNKNOWN, errors.IN_USE))
def delete_version(
    needs: Needs,
    caller: Annotated[Principal, requires("models:write")],
    model: ModelName,
    version: VersionNumber,
    why: Why = "",
    if_match: IfMatch = None,
) -> Response:
    """Take a version away that nothing uses; its number is never given again."""
    needs.catalog.version(model, version)
    require(if_match, VERSION_ETAG, f"{model}@{version}")
    needs.catalog.delete_version(model, version, by=caller.subject, why=why)
    return Response(status_code=HTTPStatus.NO_CONTENT)


@router.get(
    "/{model}/versions/{version}/approvals",
    response_model=ApprovalsBody,
    **reads("models:read", *_UNKNOWN),
)
def list_approvals(needs: Needs, model: ModelName, version: VersionNumber) -> Response:
    """List who approved a version."""
    found = needs.catalog.approvals(model, version)
    return answered(
        ApprovalsBody(items=[ApprovalBody.model_validate(approval) for approval in found])
    )


@router.post(
    "/{model}/versions/{version}/approvals",
    response_model=ApprovalBody,
    **creates(*_UNKNOWN, errors.APPROVAL_REFUSED),
)
async def approve(
    request: Request,
    needs: Needs,
    caller: Annotated[Principal, requires("models:approve")],
    model: ModelName,
    version: VersionNumber,
    reason: Annotated[Reason, Body(examples=[{"why": "its errors on May are the smaller ones"}])],
    idempotency_key: IdempotencyKey = None,
) -> Response:
    """Approve a version, so that a protected alias may go to it; not one's own."""

    def create(rules: Rules) -> Response:
        approval = rules.catalog.approve(model, version, by=caller.subject, why=reason.why)
        return answered(ApprovalBody.model_validate(approval), status=HTTPStatus.CREATED)

    subject = caller.subject
    return await needs.repeats.once(request, idempotency_key, subject=subject, create=create)


def _registered(
    rules: Rules,
    said: tuple[Signature, str],
    *,
    model: str,
    draft: VersionDraft,
    request: Request,
    by: str,
) -> Response:
    signature, digest = said
    version = rules.catalog.register(
        model,
        signature=signature,
        digest=digest,
        served_name=draft.served_name,
        served_version=str(draft.served_version),
        columns={name: tuple(columns) for name, columns in draft.columns.items()},
        artifact=draft.artifact,
        description=draft.description,
        tags=draft.tags,
        by=by,
    )
    body, number = VersionBody.of(version), version.version
    return created(body, within=request, name=number, etag=VERSION_ETAG)


async def _described(needs: Dependencies, draft: VersionDraft) -> tuple[Signature, str]:
    """Return signature and digest, as the servers say where they were not sent."""
    said = await ask_servers(needs, draft.pool, draft.served_name, str(draft.served_version))
    if draft.signature is not None and draft.signature.value() != said.signature:
        raise Refused(
            SERVERS_CANNOT_SAY,
            f"the servers of {draft.pool} say another signature of {draft.served_name} than was "
            f"sent: {said.signature}",
        )
    return said.signature, draft.digest or said.metadata_digest
