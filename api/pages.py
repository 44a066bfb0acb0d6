"""Answer with one page of a list."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Annotated, Any

from fastapi import Depends, Query, Request, Response
from pydantic import BaseModel

from api.answers import answered
from api.pagination import MAX_CURSOR_CHARS, MAX_PAGE, Page, cursor_of, key_of, list_name, next_link

_DEFAULT_PAGE = 50


@dataclass(frozen=True, slots=True)
class Turn:
    """The page that a request asks for; `filters` are those that the list was made with."""

    request: Request
    """The request."""
    size: int
    """Most items to return."""
    cursor: str | None
    """`next_cursor` of the page before."""

    def after_text(self, **filters: object) -> str | None:
        """Return the last key seen in a list that is ordered by texts; raises `Refused`."""
        key = key_of(self._name(filters), self.cursor, (str,))
        return None if key is None else str(key[0])

    def after_number(self, **filters: object) -> int | None:
        """Return the last key seen in a list that is ordered by numbers; raises `Refused`."""
        key = key_of(self._name(filters), self.cursor, (int,))
        return None if key is None else int(key[0])

    def answer(
        self, items: Iterable[BaseModel], following: str | int | None, **filters: object
    ) -> Response:
        """Return the items, with the way to those whose keys come after `following`."""
        cursor = None if following is None else cursor_of(self._name(filters), (following,))
        body = Page[Any].model_construct(items=list(items), next_cursor=cursor)
        return answered(body, headers=next_link(self.request, cursor))

    def _name(self, filters: dict[str, object]) -> str:
        given = {name: value for name, value in filters.items() if value not in (None, "", ())}
        return list_name(self.request.url.path, given)


async def _turn(
    request: Request,
    page_size: Annotated[
        int, Query(ge=1, le=MAX_PAGE, description="Most items to return.")
    ] = _DEFAULT_PAGE,
    cursor: Annotated[
        str | None,
        Query(
            max_length=MAX_CURSOR_CHARS,
            description="`next_cursor` of the page before; the first page without.",
        ),
    ] = None,
) -> Turn:
    return Turn(request, page_size, cursor)


def first_page(request: Request) -> Turn:
    """Return the page that a request without a query asks for."""
    return Turn(request, _DEFAULT_PAGE, None)


Asked = Annotated[Turn, Depends(_turn)]
"""The parameter of a route that gives a list."""
