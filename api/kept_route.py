"""Answer reads that are asked for most without the framework's search for their arguments."""

from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

from fastapi import APIRouter, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute
from starlette.types import Receive, Scope, Send

from api.answers import kept
from api.bodies import StrictRoute
from api.dependencies import dependencies_of
from api.gateway.authorization import authorize, scopes_of
from api.pages import first_page
from registry.generations import EVERYTHING, pool_scope

E = TypeVar("E", bound=Callable[..., Any])


class KeptRoute(APIRoute):
    """A route that takes nothing but its path and needs nothing but scopes.

    It is declared like any other, and refuses like any other. The framework would look for query,
    headers, cookies, body and dependencies at every request, which takes it longer than the answer
    takes. The function is given the request and the parts of its path; for
    `APIRouter(route_class=…)`.
    """

    def __init__(self, path: str, endpoint: Callable[..., Any], **declared: Any) -> None:
        super().__init__(path, endpoint, **declared)
        handle = self.get_route_handler()

        # The framework's own opens two stacks of what to close, and asks twice who answers errors.
        async def answer(scope: Scope, receive: Receive, send: Send) -> None:
            response = await handle(Request(scope, receive, send))
            await response(scope, receive, send)

        self.app = answer

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """Return what answers a request; raises `TypeError` for a route that takes more."""
        taken = self.dependant
        if taken.query_params or taken.header_params or taken.cookie_params or taken.body_params:
            raise TypeError(f"{self.path} takes more than its path: it needs another route class")
        return of_path(self, self.endpoint)


class KeptListRoute(StrictRoute):
    """A route that gives a list, whose first page is kept.

    A request without a query, so for the first page of everything, is answered as `KeptRoute` does;
    the function makes what is kept. Any other request goes the framework's way. The function takes
    what is in its path, `needs` and `asked`, and has defaults for everything else; for
    `APIRouter(route_class=…)`.
    """

    def __init__(self, path: str, endpoint: Callable[..., Any], **declared: Any) -> None:
        super().__init__(path, endpoint, **declared)
        whole, first = self.app, of_path(self, self._first)

        async def answer(scope: Scope, receive: Receive, send: Send) -> None:
            if scope["query_string"]:
                await whole(scope, receive, send)
                return
            response = await first(Request(scope, receive, send))
            await response(scope, receive, send)

        self.app = answer

    async def _first(self, request: Request, **values: str) -> Response:
        needs, make = dependencies_of(request), self.endpoint

        def look() -> Response:
            answer: Response = make(needs=needs, asked=first_page(request), **values)
            return answer

        shape = self.response_model
        return await kept(needs.cached, request, _scope(values), look, shape=shape)


def kept_list(router: APIRouter, path: str, **declared: Any) -> Callable[[E], E]:
    """Declare a `KeptListRoute` on a router of another class, as its `get` would."""

    def declare(endpoint: E) -> E:
        router.add_api_route(
            path, endpoint, methods=["GET"], route_class_override=KeptListRoute, **declared
        )
        return endpoint

    return declare


def of_path(
    route: APIRoute, endpoint: Callable[..., Coroutine[Any, Any, Response]]
) -> Callable[[Request], Coroutine[Any, Any, Response]]:
    """Return what answers a request by what is in its path alone, once its caller may ask."""
    wanted = scopes_of(route.dependencies)
    fields: list[tuple[str, Any]] = [(each.name, each) for each in route.dependant.path_params]

    async def handled(request: Request) -> Response:
        await authorize(request, wanted)
        values: dict[str, Any] = {}
        errors: list[Any] = []
        for name, field in fields:
            said = request.path_params[name]
            values[name], wrong = field.validate(said, values, loc=("path", name))
            errors += wrong
        if errors:
            raise RequestValidationError(errors)
        return await endpoint(request, **values)

    return handled


def _scope(values: dict[str, str]) -> str:
    """Return the scope of a list by what is in its path."""
    if "model" in values:
        return values["model"]
    return pool_scope(values["pool"]) if "pool" in values else EVERYTHING
