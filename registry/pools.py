"""Say what a pool of Triton servers is, without I/O."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


class ServerState(StrEnum):
    """Whether a server is asked."""

    ACTIVE = "active"
    DRAINING = "draining"
    REMOVED = "removed"


@dataclass(frozen=True, slots=True)
class Pool:
    """Triton servers that serve the same models, as they were registered."""

    name: str
    """Unique in the registry."""
    description: str
    """What it is for."""
    created_at: datetime
    """When it was registered, in UTC."""
    created_by: str = ""
    """Who did that."""
    revision: int = 0
    """How many events it has had: whatever changes it or its servers raises it by 1."""
    changed_at: datetime | None = None
    """When the last of them was, in UTC."""


@dataclass(frozen=True, slots=True)
class PoolServer:
    """One Triton server of a pool, as it was registered."""

    pool: str
    """The pool it belongs to."""
    url: str
    """gRPC address, `HOST:PORT`; in one pool at a time."""
    state: ServerState
    """Active: asked. Draining: finishes what it has. Removed: kept for the history only."""
    added_at: datetime
    """When it was last added, in UTC."""
    added_by: str
    """Who did that."""
    revision: int = 0
    """The pool's revision at its last change."""


@dataclass(frozen=True, slots=True)
class Placement:
    """The wish that each server of a pool has a version loaded."""

    pool: str
    """The pool."""
    model: str
    """The registered model."""
    version: int
    """The version to be loaded."""
    placed_at: datetime
    """When it was first wished, in UTC."""
    placed_by: str
    """Who did that."""
