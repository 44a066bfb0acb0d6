"""Keep routes in a SQL database."""

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from registry.route_tables import RouteRow
from registry.routes import Route
from registry.sql_models import model_id, model_row


class SqlRouteRows:
    """Routes within one session; see `registry.port.ModelRows`."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def route(self, model: str, alias: str) -> Route | None:
        """Return the alias's route, or None."""
        mine = (RouteRow.model_id == model_id(model), RouteRow.alias == alias)
        row = self._session.scalar(select(RouteRow).where(*mine))
        return row.value(model) if row else None

    def put_route(self, route: Route) -> None:
        """Add the route, or replace it."""
        owner = model_row(self._session, route.model).id
        self._session.merge(RouteRow.of(route, model_id=owner))
        self._session.flush()

    def delete_route(self, model: str, alias: str) -> None:
        """Take the route away."""
        mine = (RouteRow.model_id == model_id(model), RouteRow.alias == alias)
        self._session.execute(delete(RouteRow).where(*mine))
