"""Say what keeps a model, a version or a pool from being deleted."""

from dataclasses import dataclass
from enum import StrEnum


class UseKind(StrEnum):
    """What may use a version for longer than a moment."""

    JOB = "job"
    ROUTE = "route"


@dataclass(frozen=True, slots=True)
class Use:
    """An unfinished job or a route that needs a version, or a model with all its versions."""

    kind: UseKind
    """What uses it."""
    id: str
    """Its name: a job's id, a route's name."""
    model: str
    """The registered model."""
    version: int | None = None
    """The version; None when the model as a whole is needed, through an alias for example."""


@dataclass(frozen=True, slots=True)
class Referent:
    """Something that would point at nothing after a deletion."""

    kind: str
    """`alias`, `job`, `route`, `pool`, `server` or `version`."""
    name: str
    """Its name among those of its kind."""

    def __str__(self) -> str:
        return f"{self.kind} {self.name}"
