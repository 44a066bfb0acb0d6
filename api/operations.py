"""Declare operations: those of one kind refuse alike, whatever they are about."""

from http import HTTPStatus
from typing import Any

from api.bodies import INVALID, MALFORMED, NOT_A_MERGE_PATCH, MergePatch
from api.gateway.authorization import requires
from api.gateway.scopes import ScopeName
from api.idempotency import KEY_MISSING, KEY_REUSED, STILL_RUNNING
from api.pagination import BAD_CURSOR
from api.preconditions import CHANGED, MISSING
from api.problems import Kind, refusals

# Each returns keywords of a route's decorator; `own` are the kinds that only this route has.


def reads(scope: ScopeName, *own: Kind) -> dict[str, Any]:
    """Declare a read that needs no more of its caller than the scope."""
    return {"dependencies": [requires(scope)], "responses": refusals(*own, INVALID)}


def lists(scope: ScopeName, *own: Kind) -> dict[str, Any]:
    """Declare a list that comes in pages."""
    return {"dependencies": [requires(scope)], "responses": refusals(BAD_CURSOR, *own, INVALID)}


def creates(*own: Kind) -> dict[str, Any]:
    """Declare a create, which has an `Idempotency-Key`."""
    refused = refusals(MALFORMED, KEY_MISSING, *own, STILL_RUNNING, INVALID, KEY_REUSED)
    return {"status_code": HTTPStatus.CREATED, "responses": refused}


def patches(scope: ScopeName, *own: Kind) -> dict[str, Any]:
    """Declare a JSON Merge Patch of the state that `If-Match` names."""
    refused = refusals(MALFORMED, *own, CHANGED, NOT_A_MERGE_PATCH, INVALID, MISSING)
    return {"dependencies": [requires(scope), MergePatch], "responses": refused}


def deletes(*own: Kind) -> dict[str, Any]:
    """Declare the end of the state that `If-Match` names."""
    refused = refusals(*own, CHANGED, INVALID, MISSING)
    return {"status_code": HTTPStatus.NO_CONTENT, "responses": refused}
