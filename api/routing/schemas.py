"""Say what callers send and receive of routes."""

from collections.abc import Sequence
from dataclasses import asdict
from datetime import datetime
from typing import Annotated, Self

from pydantic import BaseModel, Field

from api.fields import Number, Text
from api.models.schemas import Sent
from api.online.explaining import Explanation
from api.online.shadows import ShadowCounts
from registry.routes import MOST_CANARIES, WHOLE, Route, Share

_HUNDREDTHS = WHOLE // 100

Percent = Annotated[
    float,
    Field(gt=0, le=100, multiple_of=0.01, description="Of the alias's requests, to 0.01."),
]


class ShareBody(Sent):
    """A version with its part of the requests."""

    version: Number
    percent: Percent

    def share(self) -> Share:
        """Return it as the registry counts."""
        return Share(self.version, round(self.percent * _HUNDREDTHS))

    @classmethod
    def of(cls, share: Share) -> Self:
        """Return what is told of a share."""
        return cls(version=share.version, percent=share.share / _HUNDREDTHS)


class RouteDraft(Sent):
    """How an alias's requests shall be split; its own version gets what is left."""

    canaries: Annotated[list[ShareBody], Field(max_length=MOST_CANARIES)] = Field(
        default=[], description="Versions that answer for their share of the requests."
    )
    shadow: ShareBody | None = Field(
        default=None,
        description="A version that gets a copy of its share of the requests; answers are dropped.",
    )
    why: Text = Field(default="", description="The reason, for the history.")


class RouteBody(BaseModel):
    """How an alias's requests are split."""

    model: str
    alias: str
    canaries: list[ShareBody]
    shadow: ShareBody | None
    revision: int = Field(description="The model's revision at its last change; its `ETag`.")
    changed_at: datetime
    changed_by: str

    @classmethod
    def of(cls, route: Route) -> Self:
        """Return what is told of a route."""
        return cls(
            model=route.model,
            alias=route.alias,
            canaries=[ShareBody.of(canary) for canary in route.canaries],
            shadow=ShareBody.of(route.shadow) if route.shadow else None,
            revision=route.revision,
            changed_at=route.changed_at,
            changed_by=route.changed_by,
        )


class ComparisonBody(BaseModel):
    """What a shadow's answers were beside those that callers got, in this API process."""

    model: str
    alias: str
    shadow: int = Field(description="The shadow's version.")
    compared: int = Field(description="Copies that both versions answered.")
    failed: int = Field(description="Copies that the shadow did not answer, or not in time.")
    dropped: int = Field(description="Copies that were not sent: too many were under way.")
    rows: int = Field(description="Rows that were compared.")
    agreement: float | None = Field(
        description="Part of the rows with the same outputs, numbers within 0.1 %; null for none."
    )
    largest_difference: float | None = Field(
        description="Largest absolute difference of two numbers; null where one is infinite."
    )
    differs: str | None = Field(
        description="How the form of an answer differed last, such as its shape: such answers "
        "agree nowhere. Null where none did."
    )

    @classmethod
    def of(cls, route: Route, shadow: int, counts: ShadowCounts) -> Self:
        """Return what is told of a shadow."""
        far = counts.difference
        return cls(
            model=route.model,
            alias=route.alias,
            shadow=shadow,
            compared=counts.copies["compared"],
            failed=counts.copies["failed"],
            dropped=counts.copies["dropped"],
            rows=counts.rows,
            agreement=counts.agreed / counts.rows if counts.rows else None,
            largest_difference=far if far < float("inf") else None,
            differs=counts.differs or None,
        )


class OptionBody(BaseModel):
    """A version of the route."""

    version: int
    variant: str = Field(description="`stable`, `canary` or `shadow`.")
    percent: float


class SeenBody(BaseModel):
    """A server, as the choice sees it."""

    server: str
    outstanding: int = Field(description="Requests in flight to it from this process.")
    window: int = Field(description="Requests that may be in flight to it.")
    ewma_ms: float = Field(description="Peak-sensitive average time of an answer; 0 before any.")
    breaker: str = Field(description="`closed`, `open` or `half-open`.")
    out: str = Field(description="Why it is not asked now; empty when it may be.")


class ExplanationBody(BaseModel):
    """Which version and server a request would get now, and why."""

    model: str
    version: str | None
    variant: str
    why_version: str
    options: list[OptionBody]
    served_name: str
    served_version: str
    server: str | None
    why_server: str
    servers: Sequence[SeenBody]

    @classmethod
    def of(cls, explanation: Explanation) -> Self:
        """Return what is told of a decision."""
        return cls.model_validate(asdict(explanation))
