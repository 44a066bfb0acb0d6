"""Answer for models."""

from dataclasses import replace
from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, Body, Request, Response

from api import errors
from api.answers import answered, created
from api.anywhere import ANYWHERE
from api.bodies import StrictRoute
from api.dependencies import Needs
from api.fields import ModelName, PrefixQuery, TagQuery, WhoQuery, Why, tag_of
from api.gateway.authorization import requires
from api.gateway.principal import Principal
from api.history import EventsPage, Wanted, events_page
from api.idempotency import IdempotencyKey
from api.kept_route import kept_list
from api.merge_patch import MEDIA_TYPE as MERGE_PATCH
from api.merge_patch import merged
from api.models.schemas import ModelBody, ModelChange, ModelDraft, ModelPatch
from api.operations import creates, deletes, lists, patches
from api.pages import Asked
from api.pagination import Page
from api.preconditions import IfMatch, etag, require, seen
from registry.creates import Rules
from registry.domain import Model
from registry.pages import ModelFilter, TagFilter

router = APIRouter(
    prefix="/v1/models", tags=["models"], responses=ANYWHERE, route_class=StrictRoute
)

Writer = Annotated[Principal, requires("models:write")]


class ModelsPage(Page[ModelBody]):
    """One page of models, by name."""


@kept_list(router, "", response_model=ModelsPage, **lists("models:read"))
def list_models(
    needs: Needs,
    asked: Asked,
    prefix: PrefixQuery = "",
    tag: TagQuery = None,
    created_by: WhoQuery = None,
) -> Response:
    """List models by name."""
    filters = {"prefix": prefix, "tag": tag, "created_by": created_by}
    found = tag_of(tag)
    wanted = ModelFilter(prefix, TagFilter(*found) if found else None, created_by)
    page = needs.catalog.models(wanted, after=asked.after_text(**filters), limit=asked.size)
    return asked.answer(map(ModelBody.model_validate, page.items), page.next, **filters)


@router.post("", response_model=ModelBody, **creates(errors.ALREADY_EXISTS))
async def create_model(
    request: Request,
    needs: Needs,
    caller: Writer,
    draft: Annotated[
        ModelDraft,
        Body(examples=[{"name": "fraud", "description": "Which payments are", "tags": {}}]),
    ],
    idempotency_key: IdempotencyKey = None,
) -> Response:
    """Register a model without versions; a first version registers its model as well."""

    def create(rules: Rules) -> Response:
        model = rules.catalog.create_model(
            draft.name, description=draft.description, tags=draft.tags, by=caller.subject
        )
        body, tag = ModelBody.model_validate(model), etag(model.revision)
        return created(body, within=request, name=model.name, etag=tag)

    subject = caller.subject
    return await needs.repeats.once(request, idempotency_key, subject=subject, create=create)


@router.patch("/{model}", response_model=ModelBody, **patches("models:write", errors.UNKNOWN_MODEL))
def change_model(
    needs: Needs,
    caller: Writer,
    model: ModelName,
    patch: Annotated[
        ModelPatch,
        Body(
            media_type=MERGE_PATCH,
            examples=[{"description": "Who will leave", "tags": {"team": "retention"}}],
        ),
    ],
    why: Why = "",
    if_match: IfMatch = None,
) -> Response:
    """Change a model's description or tags by a JSON Merge Patch."""
    present = _required(needs, model, if_match)
    before = {"description": present.description, "tags": dict(present.tags)}
    wanted = ModelChange.model_validate(merged(before, patch.model_dump(exclude_unset=True)))
    changed = needs.catalog.change_model(
        model,
        description=wanted.description,
        tags=wanted.tags,
        by=caller.subject,
        why=why,
        if_revision=present.revision,
    )
    return answered(ModelBody.model_validate(changed), etag=etag(changed.revision))


@router.delete("/{model}", **deletes(errors.UNKNOWN_MODEL, errors.IN_USE))
def delete_model(
    needs: Needs, caller: Writer, model: ModelName, why: Why = "", if_match: IfMatch = None
) -> Response:
    """Take a model away with all its versions; its history stays readable.

    Aliases that were protected stay protected when the name is used again.
    """
    revision = seen(if_match, needs.catalog.model(model).revision, f"model {model}")
    needs.catalog.delete_model(model, by=caller.subject, why=why, if_revision=revision)
    return Response(status_code=HTTPStatus.NO_CONTENT)


@router.get(
    "/{model}/events", response_model=EventsPage, **lists("models:read", errors.UNKNOWN_MODEL)
)
def list_events(needs: Needs, asked: Asked, model: ModelName, wanted: Wanted) -> Response:
    """List what happened to a model, newest first, also when it was deleted since."""
    return events_page(asked, needs.catalog, replace(wanted, model=model))


def _required(needs: Needs, name: str, if_match: str | None) -> Model:
    """Return the model in the state that the caller has seen; raises `Refused`."""
    model = needs.catalog.model(name)
    require(if_match, etag(model.revision), f"model {name}")
    return model
