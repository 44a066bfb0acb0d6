"""Know the routes by the templates of their paths."""

from collections.abc import Iterator, Sequence

from fastapi.routing import iter_route_contexts
from starlette.routing import BaseRoute
from starlette.types import Scope

UNMATCHED = "unmatched"
"""What stands for every path that is no route's, and for what was refused before routing."""


class RouteTable:
    """Tells the template of the route that a request came to, never what its path says."""

    def __init__(self) -> None:
        self._templates: dict[int, tuple[BaseRoute, str]] = {}
        self._methods: dict[str, set[str]] = {}

    def learn(self, routes: Sequence[BaseRoute]) -> None:
        """Read all routes; a router does not know under which prefix it was included."""
        for context in iter_route_contexts(routes):
            if context.path_format is not None:
                route = context.original_route
                # With the route itself, so that its identity is not given to another one.
                self._templates[id(route)] = (route, context.path_format)
                self._methods.setdefault(context.path_format, set()).update(context.methods or ())

    def template(self, scope: Scope) -> str:
        """Return the template, or `UNMATCHED`."""
        return self._templates.get(id(scope.get("route")), (None, UNMATCHED))[1]

    def __iter__(self) -> Iterator[tuple[str, str]]:
        """Go through methods and templates."""
        for template, methods in self._methods.items():
            for method in sorted(methods):
                yield method, template
