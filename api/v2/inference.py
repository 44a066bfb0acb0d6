"""Answer inference requests."""

import time
from collections.abc import Callable, Sequence
from typing import Any

from fastapi import APIRouter, Request, Response
from fastapi.routing import APIRoute
from starlette.requests import ClientDisconnect
from starlette.types import Receive, Scope, Send

from api.dependencies import dependencies_of
from api.gateway.authorization import authorize, requires
from api.gateway.headers import field
from api.gateway.scopes import ScopeName
from api.gateway.tracing import request_id_of, traceparent_of
from api.online.port import DeadlinePassed, OnlineCall, OnlineError, OnlineName
from api.problems import Refused, of_refused
from api.v2 import kinds
from api.v2.bodies import LARGE_BYTES, announced_bytes, plain_body, read_request, write_response
from api.v2.body_turns import Turn
from api.v2.described import ANSWERED, INFER, V2Bare, V2Model, V2Version, refusals_v2
from api.v2.disconnects import ClientGone, NoAnswer, while_connected
from api.v2.headers import Told, read_headers
from api.v2.names import checked_name
from api.v2.requests import InferenceRequest

_SCOPES: tuple[ScopeName, ...] = ("inference:run",)


class _Direct(APIRoute):
    """A route whose function checks everything itself, and which answers what that refuses.

    FastAPI describes it; its own way to the function's parameters would cost a small request as
    much as reading it does, and its stacks of what to close as much as the answer's header.
    """

    def __init__(self, path: str, endpoint: Callable[..., Any], **declared: Any) -> None:
        super().__init__(path, endpoint, **declared)

        async def answer(scope: Scope, receive: Receive, send: Send) -> None:
            request = Request(scope, receive, send)
            try:
                response: Response = await endpoint(request, **request.path_params)
            except Refused as error:
                response = await of_refused(request, error)
            except OnlineError as error:
                response = await of_refused(request, kinds.refused(error))
            await response(scope, receive, send)

        self.app = answer


router = APIRouter(
    tags=["inference"],
    route_class=_Direct,
    dependencies=[requires(*_SCOPES)],
    responses=ANSWERED
    | refusals_v2(
        *(kinds.MALFORMED, kinds.MISFIT, kinds.MODEL_UNKNOWN, kinds.CALL_REFUSED),
        *(kinds.CALL_TOO_LARGE, kinds.TOO_LARGE_DECODED, kinds.CODING),
        *(kinds.POOL_BUSY, kinds.POOL_AWAY, kinds.READER_DIED),
        *(kinds.DEADLINE_PASSED, kinds.SERVER_FAILED),
    ),
)


@router.post("/v2/models/{model}/infer", openapi_extra=INFER, response_class=Response)
async def infer(request: Request, model: V2Model) -> Response:
    """Have a model answer, the version that its name or alias means now."""
    return await _answer(request, model)


@router.post(
    "/v2/models/{model}/versions/{version}/infer", openapi_extra=INFER, response_class=Response
)
async def infer_version(request: Request, model: V2Bare, version: V2Version) -> Response:
    """Have one version of a model answer."""
    return await _answer(request, model, version)


def inference_routes() -> Sequence[APIRoute]:
    """Return the routes that infer."""
    return [route for route in router.routes if isinstance(route, APIRoute)]


async def _answer(request: Request, model: str, version: str | None = None) -> Response:
    began = time.monotonic()
    await authorize(request, _SCOPES)
    name = checked_name(model, version)
    told, size = read_headers(request), announced_bytes(request)
    if size < LARGE_BYTES:
        return await _answered(request, name, told, began)
    async with dependencies_of(request).turns.turn(size, within_s=told.timeout_s) as turn:
        return await _answered(request, name, told, began, turn)


async def _answered(
    request: Request, name: OnlineName, told: Told, began: float, turn: Turn | None = None
) -> Response:
    needs = dependencies_of(request)
    try:
        body = await plain_body(request, needs.offload, max_bytes=needs.traffic.max_infer_bytes)
        if turn is not None:
            turn.body_came()
        left_s = None if told.timeout_s is None else told.timeout_s - (time.monotonic() - began)
        description = await needs.online.expected(name, within_s=left_s)
        asked = await read_request(body, told.json_bytes, description, needs.offload)
        call = _call(request, name, asked, told, took_s=time.monotonic() - began)
        answer = await while_connected(request, needs.online.infer(call, description))
    except (ClientDisconnect, ClientGone):
        return NoAnswer()
    accepted = field(request.scope, b"accept-encoding")
    return await write_response(asked, answer, accepted, needs.offload)


def _call(
    request: Request, name: OnlineName, asked: InferenceRequest, told: Told, *, took_s: float
) -> OnlineCall:
    return OnlineCall(
        name=name,
        inputs=asked.inputs,
        outputs=tuple(wanted.name for wanted in asked.outputs),
        request_id=asked.id or request_id_of(request.scope) or "",
        deadline_s=_deadline_s(asked, told, took_s),
        priority=asked.priority,
        may_go_first=told.may_go_first,
        sticky_key=told.sticky_key,
        pinned=told.pinned,
        parameters=asked.parameters,
        traceparent=traceparent_of(request.scope),
    )


def _deadline_s(asked: InferenceRequest, told: Told, took_s: float) -> float | None:
    """Return what is left of the shorter of both times that the caller may have given.

    Raises `DeadlinePassed` where reading the request took all of it.
    """
    given = [told.timeout_s] if told.timeout_s is not None else []
    given += [asked.timeout_us / 1e6] if asked.timeout_us else []
    if not given:
        return None
    left_s = min(given) - took_s
    if left_s <= 0:
        raise DeadlinePassed(
            f"the caller allows {min(given):g} s, of which reading the request took {took_s:.3g}"
        )
    return left_s
