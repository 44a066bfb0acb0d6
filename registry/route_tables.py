"""Lay out the table of routes."""

from datetime import datetime

from sqlalchemy import BigInteger, ForeignKeyConstraint, Text
from sqlalchemy.orm import Mapped, mapped_column

from registry.routes import Route, Share
from registry.tables import AliasRow, Base, Id, Json, Name, UtcDateTime


class RouteRow(Base):
    """How an alias's requests are split; its versions are also in `uses`, which guards them."""

    __tablename__ = "routes"
    __table_args__ = (
        ForeignKeyConstraint(["model_id", "alias"], [AliasRow.model_id, AliasRow.name]),
    )

    model_id: Mapped[int] = mapped_column(Id, primary_key=True)
    alias: Mapped[str] = mapped_column(Name, primary_key=True)
    canaries: Mapped[list[list[int]]] = mapped_column(Json)
    """Version with share, each."""
    shadow: Mapped[list[int]] = mapped_column(Json)
    """Version with share; empty without a shadow."""
    changed_at: Mapped[datetime] = mapped_column(UtcDateTime)
    changed_by: Mapped[str] = mapped_column(Text)
    revision: Mapped[int] = mapped_column(BigInteger)

    def value(self, model: str) -> Route:
        """Return what the row says of a route of `model`."""
        return Route(
            model=model,
            alias=self.alias,
            canaries=tuple(Share(*each) for each in self.canaries),
            shadow=Share(*self.shadow) if self.shadow else None,
            changed_at=self.changed_at,
            changed_by=self.changed_by,
            revision=self.revision,
        )

    @classmethod
    def of(cls, route: Route, *, model_id: int) -> "RouteRow":
        """Return the row that keeps `route`."""
        shadow = [route.shadow.version, route.shadow.share] if route.shadow else []
        return cls(
            model_id=model_id,
            alias=route.alias,
            canaries=[[each.version, each.share] for each in route.canaries],
            shadow=shadow,
            changed_at=route.changed_at,
            changed_by=route.changed_by,
            revision=route.revision,
        )
