"""Gather the routes that manage models and pools."""

from typing import Any

from fastapi import FastAPI

from api import errors, problems
from api.description import describe
from api.gateway.authorization import GUARDED
from api.models import aliases, versions
from api.models import routes as models
from api.pools import placements, servers
from api.pools import routes as pools

_ANYWHERE: dict[int | str, dict[str, Any]] = GUARDED | problems.refusals(errors.UNAVAILABLE)


def include_management(app: FastAPI) -> None:
    """Add the routes under `/v1`, with the answers to what they refuse."""
    for prefix, parts in (
        ("/v1/models", (models, versions, aliases)),
        ("/v1/pools", (pools, servers, placements)),
    ):
        for part in parts:
            tag = part.__name__.rpartition(".")[2].replace("routes", prefix.rpartition("/")[2])
            app.include_router(part.router, prefix=prefix, tags=[tag], responses=_ANYWHERE)
    for kind in errors.KINDS:
        app.add_exception_handler(kind, errors.of_domain_error)
    describe(app)
