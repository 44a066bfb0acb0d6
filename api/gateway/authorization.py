"""Let a route be used by those whose token has its scope."""

from collections.abc import Sequence
from typing import Any

from fastapi import Request, Security
from fastapi.openapi.models import HTTPBearer as BearerModel
from fastapi.params import Depends
from fastapi.params import Security as SecurityDependency
from fastapi.security import SecurityScopes
from fastapi.security.base import SecurityBase

from api.gateway.principal import Principal, caller_of
from api.gateway.rate_limits import limiter_of
from api.gateway.refusals import GUARDED as GUARDED
from api.gateway.refusals import lacking_scopes, no_token
from api.gateway.scopes import SCOPES, ScopeName

MODEL_PARAMETER = "model"
"""What every route calls the model in its path; quotas of models depend on it."""


class _Bearer(SecurityBase):
    """The security scheme that OpenAPI describes, which asks for the scopes of its route."""

    model = BearerModel(
        bearerFormat="JWT",
        description="A JWT with `iss`, `aud`, `sub`, `exp` and the scopes in `scope` or `scp`.\n\n"
        + "\n".join(f"- `{name}`: {words}" for name, words in SCOPES.items()),
    )
    scheme_name = "bearer"

    async def __call__(self, request: Request, wanted: SecurityScopes) -> Principal:
        """Return who calls; raises `Refused` unless the token has every scope in `wanted`."""
        return await authorize(request, wanted.scopes)


async def authorize(request: Request, scopes: Sequence[str]) -> Principal:
    """Return who calls; raises `Refused` unless the token has every one of `scopes`."""
    caller = caller_of(request.scope)
    if caller.principal is None:
        raise caller.refusal or no_token()
    missing = [scope for scope in scopes if scope not in caller.principal.scopes]
    if missing:
        raise lacking_scopes(missing)
    # `churn@champion` is counted as `churn`: an alias is no quota of its own.
    model, _, _ = request.path_params.get(MODEL_PARAMETER, "").partition("@")
    await limiter_of(request.scope).count_route(caller, scopes, model or None)
    return caller.principal


_BEARER = _Bearer()


# The name of a parameter's default is what FastAPI wants of a dependency: Any.
def requires(*scopes: ScopeName) -> Any:
    """Return the dependency of a route that needs every one of `scopes`.

    As a parameter it gives the caller, `Annotated[Principal, requires("models:read")]`; as
    `dependencies=[requires("models:read")]` it only guards.
    """
    unknown = [scope for scope in scopes if scope not in SCOPES]
    if unknown or not scopes:
        raise ValueError(f"not in api.gateway.scopes: {unknown or 'no scope at all'}")
    return Security(_BEARER, scopes=scopes)


def scopes_of(dependencies: Sequence[Depends]) -> tuple[str, ...]:
    """Return the scopes that a route asks for whose dependencies are all `requires(…)`.

    Raises `TypeError` for any other dependency.
    """
    found: list[str] = []
    for each in dependencies:
        if not isinstance(each, SecurityDependency) or each.dependency is not _BEARER:
            raise TypeError(f"{each} is not from requires(…)")
        found.extend(each.scopes or ())
    return tuple(found)
