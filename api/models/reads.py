"""Answer which model, version or alias there is, mostly from the cache."""

from fastapi import APIRouter, Request, Response

from api import errors
from api.answers import answered, kept
from api.anywhere import ANYWHERE
from api.bodies import INVALID
from api.dependencies import dependencies_of
from api.fields import AliasName, ModelName, VersionNumber
from api.gateway.authorization import requires
from api.kept_route import KeptRoute
from api.models.schemas import AliasBody, ModelBody, VersionBody
from api.models.versions import VERSION_ETAG
from api.preconditions import IF_NONE_MATCH, NOT_MODIFIED, etag
from api.problems import refusals

_READ = requires("models:read")

router = APIRouter(prefix="/v1/models", responses=ANYWHERE, route_class=KeptRoute)


@router.get(
    "/{model}",
    tags=["models"],
    dependencies=[_READ],
    response_model=ModelBody,
    responses=NOT_MODIFIED | refusals(errors.UNKNOWN_MODEL, INVALID),
    openapi_extra=IF_NONE_MATCH,
)
async def get_model(request: Request, model: ModelName) -> Response:
    """Return a model."""

    needs = dependencies_of(request)

    def look() -> Response:
        found = needs.catalog.model(model)
        return answered(ModelBody.model_validate(found), etag=etag(found.revision))

    return await kept(needs.cached, request, model, look, shape=ModelBody)


@router.get(
    "/{model}/versions/{version}",
    tags=["versions"],
    dependencies=[_READ],
    response_model=VersionBody,
    responses=NOT_MODIFIED | refusals(errors.UNKNOWN_MODEL, errors.UNKNOWN_VERSION, INVALID),
    openapi_extra=IF_NONE_MATCH,
)
async def get_version(
    request: Request,
    model: ModelName,
    version: VersionNumber,
) -> Response:
    """Return a version."""

    needs = dependencies_of(request)

    def look() -> Response:
        found = needs.catalog.version(model, version)
        return answered(VersionBody.of(found), etag=VERSION_ETAG)

    return await kept(needs.cached, request, model, look, shape=VersionBody)


@router.get(
    "/{model}/aliases/{alias}",
    tags=["aliases"],
    dependencies=[_READ],
    response_model=AliasBody,
    responses=NOT_MODIFIED | refusals(errors.UNKNOWN_MODEL, errors.UNKNOWN_ALIAS, INVALID),
    openapi_extra=IF_NONE_MATCH,
)
async def get_alias(
    request: Request,
    model: ModelName,
    alias: AliasName,
) -> Response:
    """Return where an alias points."""

    needs = dependencies_of(request)

    def look() -> Response:
        found = needs.catalog.alias(model, alias)
        return answered(AliasBody.model_validate(found), etag=etag(found.revision))

    return await kept(needs.cached, request, model, look, shape=AliasBody, by_alias=True)
