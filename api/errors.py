"""Map each error of the domain to the problem that answers it."""

import logging
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from fastapi import Request, Response

from api.bodies import INVALID
from api.gateway.refusals import LACKING_SCOPES, lacking_scopes
from api.gateway.scopes import ScopeName
from api.idempotency import KEY_REUSED
from api.jobs.problems import MOVE_REFUSED, OUTPUT_TAKEN, QUEUE_FULL, UNKNOWN_JOB
from api.preconditions import CHANGED
from api.problems import Kind, of_refused, refusal
from inference.addresses import InvalidAddress
from registry.conflicts import (
    AliasMoved,
    AliasProtected,
    AlreadyExists,
    ApprovalMissing,
    ApprovalRefused,
    ApproverNeeded,
    InUse,
    RevisionChanged,
    RouteInTheWay,
    ServerTaken,
)
from registry.domain import InvalidName
from registry.errors import (
    InvalidRegistration,
    RegistryUnavailable,
    UnknownAlias,
    UnknownModel,
    UnknownPool,
    UnknownServer,
    UnknownVersion,
)
from registry.job_conflicts import (
    MoveRefused,
    OutputTaken,
    QueueFull,
    RequestReused,
    UnknownJob,
)

_log = logging.getLogger(__name__)

APPROVER: ScopeName = "models:approve"
"""The scope that changes of protected aliases need as well."""
_RETRY_AFTER_S = 2
"""A database that fails over is back in seconds."""
_ROOM_AFTER_S = 10
"""A small job ends in as many seconds."""


def _unknown(what: str) -> Kind:
    title = f"Unknown {what}"
    return Kind(f"unknown-{what}", HTTPStatus.NOT_FOUND, title, f"There is no such {what}.")


UNKNOWN_MODEL = _unknown("model")
UNKNOWN_VERSION = _unknown("version")
UNKNOWN_ALIAS = _unknown("alias")
UNKNOWN_POOL = _unknown("pool")
UNKNOWN_SERVER = _unknown("server")
ALREADY_EXISTS = Kind("already-exists", HTTPStatus.CONFLICT, "Already there", "The name is taken.")
ALIAS_MOVED = Kind(
    "alias-moved",
    HTTPStatus.PRECONDITION_FAILED,
    "Alias moved meanwhile",
    "The alias does not point where the caller believed; the problem's `version` says where.",
)
IN_USE = Kind(
    "in-use",
    HTTPStatus.CONFLICT,
    "Still in use",
    "Something points to what is to go; `referents` lists all of it.",
)
APPROVAL_MISSING = Kind(
    "approval-missing",
    HTTPStatus.CONFLICT,
    "Approval missing",
    "The alias is protected and nobody else has approved the version.",
)
APPROVAL_REFUSED = Kind(
    "approval-refused",
    HTTPStatus.CONFLICT,
    "Approval refused",
    "Nobody approves what they registered.",
)
ALIAS_PROTECTED = Kind(
    "alias-protected",
    HTTPStatus.CONFLICT,
    "Alias protected",
    "A protected alias cannot be deleted.",
)
ROUTE_IN_THE_WAY = Kind(
    "route-in-the-way",
    HTTPStatus.CONFLICT,
    "Route in the way",
    "The alias has a route whose versions would not be like its own, or were not approved.",
)
SERVER_TAKEN = Kind(
    "server-taken",
    HTTPStatus.CONFLICT,
    "Server taken",
    "The server belongs to another pool.",
)
UNAVAILABLE = Kind(
    "registry-unavailable",
    HTTPStatus.SERVICE_UNAVAILABLE,
    "Registry unavailable",
    "The registry's database cannot be used now; `Retry-After` says when to ask again.",
)

KINDS: Mapping[type[Exception], Kind] = {
    AliasMoved: ALIAS_MOVED,
    AliasProtected: ALIAS_PROTECTED,
    AlreadyExists: ALREADY_EXISTS,
    ApprovalMissing: APPROVAL_MISSING,
    ApprovalRefused: APPROVAL_REFUSED,
    ApproverNeeded: LACKING_SCOPES,
    InUse: IN_USE,
    InvalidAddress: INVALID,
    InvalidName: INVALID,
    InvalidRegistration: INVALID,
    MoveRefused: MOVE_REFUSED,
    OutputTaken: OUTPUT_TAKEN,
    QueueFull: QUEUE_FULL,
    RegistryUnavailable: UNAVAILABLE,
    RequestReused: KEY_REUSED,
    RevisionChanged: CHANGED,
    RouteInTheWay: ROUTE_IN_THE_WAY,
    ServerTaken: SERVER_TAKEN,
    UnknownAlias: UNKNOWN_ALIAS,
    UnknownJob: UNKNOWN_JOB,
    UnknownModel: UNKNOWN_MODEL,
    UnknownPool: UNKNOWN_POOL,
    UnknownServer: UNKNOWN_SERVER,
    UnknownVersion: UNKNOWN_VERSION,
}
"""Every error that a route may let through."""


async def of_domain_error(request: Request, error: Exception) -> Response:
    """Answer an error of the table, in its own words."""
    kind = KINDS[type(error)]
    if isinstance(error, ApproverNeeded):
        return await of_refused(request, lacking_scopes([APPROVER]))
    if isinstance(error, RegistryUnavailable):
        _log.warning("the registry cannot be used", extra={"fields": {"cause": str(error)}})
        detail = "the registry's database cannot be used now; the log says why"
        return refusal(request, kind, detail, headers={"Retry-After": str(_RETRY_AFTER_S)})
    headers = {"Retry-After": str(_ROOM_AFTER_S)} if isinstance(error, QueueFull) else None
    return refusal(request, kind, str(error), headers=headers, members=_members(error))


def _members(error: Exception) -> dict[str, Any]:
    if isinstance(error, InUse):
        return {"referents": [{"kind": r.kind, "name": r.name} for r in error.referents]}
    if isinstance(error, AliasMoved):
        return {"version": error.now.version if error.now else None}
    if isinstance(error, RevisionChanged):
        return {"revision": error.now}
    if isinstance(error, OutputTaken):
        return {"job": error.job}
    if isinstance(error, MoveRefused):
        return {"state": error.state}
    return {}
