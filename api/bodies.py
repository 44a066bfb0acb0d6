"""Read JSON bodies strictly, so that nothing gets in that cannot be written out again."""

from collections.abc import Callable, Coroutine
from http import HTTPStatus
from typing import Any

import orjson
from fastapi import Depends, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute

from api import merge_patch
from api.problems import Kind, Refused, refusal

MALFORMED = Kind(
    "malformed-json",
    HTTPStatus.BAD_REQUEST,
    "Malformed JSON",
    "The body is not JSON as RFC 8259 has it: no NaN, no Infinity, no half of a surrogate pair.",
)
INVALID = Kind(
    "invalid-request",
    HTTPStatus.UNPROCESSABLE_ENTITY,
    "Invalid request",
    "Something in the path, the query, the headers or the body may not be so; `errors` names each.",
)


NOT_A_MERGE_PATCH = Kind(
    "not-a-merge-patch",
    HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
    "Not a merge patch",
    "A change is sent as `application/merge-patch+json`.",
)


class _StrictRequest(Request):
    """Python's own reader takes NaN, Infinity and lone surrogates, which no answer can carry."""

    async def json(self) -> Any:
        """Return the body's JSON; raises `orjson.JSONDecodeError`, a `json.JSONDecodeError`."""
        if not hasattr(self, "_json"):
            self._json = orjson.loads(await self.body())
        return self._json


class StrictRoute(APIRoute):
    """A route whose body is read by `_StrictRequest`; for `APIRouter(route_class=…)`."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """Return what answers a request."""
        handle = super().get_route_handler()

        async def handled(request: Request) -> Response:
            return await handle(_StrictRequest(request.scope, request.receive))

        return handled


async def _require_merge_patch(request: Request) -> None:
    sent = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if sent != merge_patch.MEDIA_TYPE:
        raise Refused(
            NOT_A_MERGE_PATCH,
            f"send the change as {merge_patch.MEDIA_TYPE}",
            headers={"Accept-Patch": merge_patch.MEDIA_TYPE},
        )


MergePatch = Depends(_require_merge_patch)
"""The dependency of a route that takes a JSON Merge Patch."""


async def of_invalid_request(request: Request, error: Exception) -> Response:
    """Answer what does not fit a route's declaration, without repeating what was sent."""
    assert isinstance(error, RequestValidationError)
    found = error.errors()
    broken = next((each for each in found if each["type"] == "json_invalid"), None)
    if broken is not None:
        words = f"{broken['ctx']['error']}, at character {broken['loc'][1]}"
        return refusal(request, MALFORMED, words)
    places = [{"pointer": _pointer(each["loc"]), "detail": each["msg"]} for each in found]
    detail = "; ".join(f"{place['pointer']}: {place['detail']}" for place in places)
    return refusal(request, INVALID, detail, members={"errors": places})


def _pointer(place: tuple[int | str, ...]) -> str:
    """Return where it is: `body/columns/X/0`, `query/page_size`."""
    return "/".join(str(part).replace("~", "~0").replace("/", "~1") for part in place)
