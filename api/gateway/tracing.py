"""Name each request, so that what is told of it can be found."""

import re
import secrets

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.gateway import headers
from telemetry import traces
from telemetry.logs import noted

_REQUEST_ID = b"x-request-id"
_TRACE = (b"traceparent", b"tracestate")
_SANE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:-]{0,127}")
_KEY = "nightshift.request_id"
_OUTGOING = "nightshift.trace"


class Tracing:
    """ASGI middleware: give the request an id and a place in a trace, told with its answer.

    Every line that is logged meanwhile carries both. A caller's id is kept if it is short and
    plain, else it gets another one: it is repeated in logs and headers.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        told = headers.field(scope, _REQUEST_ID) or ""
        request_id = told if _SANE.fullmatch(told) else secrets.token_hex(16)
        scope[_KEY] = request_id
        asked = {name.decode(): headers.field(scope, name) for name in _TRACE}
        with traces.continued({name: said for name, said in asked.items() if said}) as span:
            outgoing = traces.outgoing()
            scope[_OUTGOING] = outgoing

            async def named(message: Message) -> None:
                if message["type"] == "http.response.start":
                    headers.add(message, x_request_id=request_id, **outgoing)
                await send(message)

            with noted(request_id=request_id, trace_id=traces.trace_id(span)):
                await self._app(scope, receive, named)


def request_id_of(scope: Scope) -> str | None:
    """Return the request's id, None outside of the gateway."""
    found = scope.get(_KEY)
    return found if isinstance(found, str) else None


def traceparent_of(scope: Scope) -> str:
    """Return the place in the trace that whoever is asked in turn is told; empty without one."""
    outgoing = scope.get(_OUTGOING)
    return outgoing.get("traceparent", "") if isinstance(outgoing, dict) else ""
