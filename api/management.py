"""Gather the routes that manage models, pools and jobs."""

from fastapi import FastAPI

from api import errors
from api.description import describe
from api.jobs import acts, live
from api.jobs import routes as jobs
from api.models import aliases, versions
from api.models import routes as models
from api.pools import placements, servers
from api.pools import routes as pools
from api.routing import routes as routing


def include_management(app: FastAPI) -> None:
    """Add the routes under `/v1`, with the answers to what they refuse.

    They are added as they are: a router that is included is asked route by route through a layer
    of its own, which costs a read more than its answer does.
    """
    parts = (models, versions, aliases, routing, pools, servers, placements)
    for part in (*parts, jobs, acts, live):
        app.router.routes.extend(part.router.routes)
    for kind in errors.KINDS:
        app.add_exception_handler(kind, errors.of_domain_error)
    describe(app)
