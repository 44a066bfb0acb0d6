"""Say what callers send and receive of pools, servers and placements."""

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Literal, Self

from pydantic import BaseModel, Field

from api.fields import MOST_ADDRESS_CHARS, Name, Text
from api.models.schemas import Sent, Told
from inference.breaker import State
from inference.health import ServerHealth
from inference.repositories import Outcome
from inference.server import RepositoryEntry
from registry.pools import PoolServer, ServerState


class PoolDraft(Sent):
    """A pool to be registered, without servers."""

    name: Name
    description: Text = ""


class PoolPatch(Sent):
    """A change of a pool; null takes the description away."""

    description: Text | None = None


class PoolBody(Told):
    """A pool."""

    name: str
    description: str
    revision: int = Field(description="How many events it has had; its `ETag`.")
    created_at: datetime
    created_by: str
    changed_at: datetime | None


class ServerDraft(Sent):
    """A server to be registered; it is probed before it is believed."""

    url: Annotated[Text, Field(max_length=MOST_ADDRESS_CHARS)] = Field(
        description="`HOST:PORT` of its gRPC endpoint; no scheme, no path."
    )
    why: Text = ""


class ServerPatch(Sent):
    """A change of a server: drained, or asked again."""

    state: Literal["active", "draining"]


class HealthBody(BaseModel):
    """A server as this API process sees it."""

    breaker: State = Field(description="Whether it is asked: closed, open, half-open.")
    outstanding: int = Field(description="Requests in flight to it from this process.")
    window: int = Field(description="Requests that may be in flight to it.")
    latency_s: float = Field(description="Peak-sensitive average; 0 before the first answer.")


class ServedBody(BaseModel):
    """A model version in a server's repository."""

    name: str = Field(description="The name by which Triton serves it.")
    version: str = Field(description="Its version directory; empty when it was never loaded.")
    state: str = Field(description="READY, UNAVAILABLE, LOADING, UNLOADING or empty.")


class ServerBody(BaseModel):
    """A server with what it serves now."""

    pool: str
    url: str
    state: ServerState = Field(
        description="Active: asked. Draining: finishes what it has. Removed: history."
    )
    added_at: datetime
    added_by: str
    revision: int = Field(description="The pool's revision at its last change; its `ETag`.")
    health: HealthBody | None = Field(description="Null when this process does not use it.")
    serves: list[ServedBody] | None = Field(
        description="What its repository holds; null when it could not be asked."
    )

    @classmethod
    def of(
        cls,
        server: PoolServer,
        health: ServerHealth | None,
        serves: Sequence[RepositoryEntry] | None,
    ) -> Self:
        """Return what is told of a server."""
        return cls(
            pool=server.pool,
            url=server.url,
            state=server.state,
            added_at=server.added_at,
            added_by=server.added_by,
            revision=server.revision,
            health=None if health is None else _health(health),
            serves=None if serves is None else [_served(entry) for entry in serves],
        )


class OutcomeBody(BaseModel):
    """How it went on one server."""

    server: str
    done: bool
    detail: str | None = Field(description="Why it did not do what was asked.")

    @classmethod
    def of(cls, outcome: Outcome) -> Self:
        """Return what is told of an outcome."""
        error = outcome.error
        return cls(
            server=outcome.server, done=error is None, detail=None if error is None else str(error)
        )


class PlacementBody(Told):
    """The wish that the servers of a pool have a version loaded."""

    pool: str
    model: str
    version: int
    placed_at: datetime
    placed_by: str


class PlacementsBody(BaseModel):
    """What the servers of a pool shall serve."""

    items: list[PlacementBody]


class LoadBody(BaseModel):
    """How loading or unloading a version went, server by server."""

    pool: str
    model: str
    version: int
    served_name: str = Field(description="The name by which Triton serves it.")
    done: bool = Field(
        description="Whether every server did what was asked, and there was one to load on."
    )
    outcomes: list[OutcomeBody]


def _health(health: ServerHealth) -> HealthBody:
    return HealthBody(
        breaker=health.breaker,
        outstanding=health.outstanding,
        window=health.window,
        latency_s=health.ewma_s,
    )


def _served(entry: RepositoryEntry) -> ServedBody:
    return ServedBody(name=entry.name, version=entry.version, state=entry.state)
