"""Refuse a job that there is no room for before it is read."""

from collections.abc import Callable
from typing import Any, TypeVar

from fastapi import APIRouter, Request
from starlette.types import Receive, Scope, Send

from api.bodies import StrictRoute
from api.dependencies import dependencies_of
from api.gateway.authorization import authorize

E = TypeVar("E", bound=Callable[..., Any])

WRITE = "jobs:write"
"""The scope that submitting needs."""


class TakingRoute(StrictRoute):
    """A route that takes a job in.

    When hundreds submit at the same moment most are told to come later: the framework's search for
    arguments would take each of them longer than the rest of the answer does.
    """

    def __init__(self, path: str, endpoint: Callable[..., Any], **declared: Any) -> None:
        super().__init__(path, endpoint, **declared)
        whole = self.app

        async def answer(scope: Scope, receive: Receive, send: Send) -> None:
            request = Request(scope)
            room = dependencies_of(request).desk.room
            if room.is_full:
                await authorize(request, (WRITE,))
                room.require()
            await whole(scope, receive, send)

        self.app = answer


def taking(router: APIRouter, path: str, **declared: Any) -> Callable[[E], E]:
    """Declare a `TakingRoute` on a router of another class, as its `post` would."""

    def declare(endpoint: E) -> E:
        router.add_api_route(
            path, endpoint, methods=["POST"], route_class_override=TakingRoute, **declared
        )
        return endpoint

    return declare
