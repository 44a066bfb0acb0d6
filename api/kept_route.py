"""Answer reads that are asked for most without the framework's search for their arguments."""

from collections.abc import Callable, Coroutine
from typing import Any

from fastapi import Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute
from starlette.types import Receive, Scope, Send

from api.gateway.authorization import authorize, scopes_of


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
        wanted, fields, endpoint = scopes_of(self.dependencies), self._fields(), self.endpoint

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
            answer: Response = await endpoint(request, **values)
            return answer

        return handled

    def _fields(self) -> list[tuple[str, Any]]:
        taken = self.dependant
        if taken.query_params or taken.header_params or taken.cookie_params or taken.body_params:
            raise TypeError(f"{self.path} takes more than its path: it needs another route class")
        return [(field.name, field) for field in taken.path_params]
