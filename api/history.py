"""Answer what happened to models and pools."""

from datetime import datetime
from typing import Annotated

from fastapi import Depends, Query, Response

from api.fields import NAME_PATTERN, Moment, Number, WhoQuery
from api.models.schemas import Told
from api.pages import Turn
from api.pagination import Page
from registry.events import EventKind
from registry.pages import EventFilter
from registry.reading import CatalogReader


class EventBody(Told):
    """One line of the history."""

    id: int
    kind: EventKind
    at: datetime
    by: str
    revision: int
    model: str | None
    version: int | None
    alias: str | None
    from_version: int | None
    pool: str | None
    server: str | None
    why: str
    change: dict[str, object]


class EventsPage(Page[EventBody]):
    """One page of the history, newest first."""


async def _wanted(
    kind: Annotated[
        list[EventKind] | None, Query(max_length=len(EventKind), description="What happened.")
    ] = None,
    alias: Annotated[
        str | None, Query(pattern=NAME_PATTERN, description="What happened to this alias.")
    ] = None,
    version: Annotated[
        Number | None, Query(description="What happened to this version, moves to it included.")
    ] = None,
    by: WhoQuery = None,
    since: Annotated[
        Moment | None, Query(description="The earliest moment, itself included.")
    ] = None,
    until: Annotated[
        Moment | None, Query(description="The latest moment, itself included.")
    ] = None,
) -> EventFilter:
    return EventFilter(
        alias=alias, version=version, kinds=tuple(kind or ()), by=by, since=since, until=until
    )


Wanted = Annotated[EventFilter, Depends(_wanted)]
"""The query parameters that choose events."""


def events_page(asked: Turn, catalog: CatalogReader, wanted: EventFilter) -> Response:
    """Return a page of the events that are wanted."""
    filters = {name: getattr(wanted, name) for name in EventFilter.__slots__}
    after = asked.after_number(**filters)
    page = catalog.events(wanted, after=after, limit=asked.size)
    return asked.answer(map(EventBody.model_validate, page.items), page.next, **filters)
