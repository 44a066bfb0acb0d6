"""Find out who calls."""

from collections.abc import Collection

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from api.gateway.claims import TokenRefused
from api.gateway.keys import KeysUnavailable
from api.gateway.paths import PathSet
from api.gateway.principal import Caller, Principal, caller_of, set_caller
from api.gateway.proxies import Clients
from api.gateway.refusals import KEYS_AWAY, bad_token, no_token, send_refusal
from api.gateway.tokens import Verifier
from api.problems import Refused


class Identification:
    """ASGI middleware: note whose token the request has; refuses nothing.

    So a token that is not accepted is counted against its sender's quota before it is answered.
    """

    def __init__(self, app: ASGIApp, verifier: Verifier, clients: Clients) -> None:
        self._app = app
        self._verifier = verifier
        self._clients = clients

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on."""
        if scope["type"] == "http":
            headers = Headers(scope=scope)
            peer = scope.get("client")
            caller = Caller(self._clients.address(peer[0] if peer else None, headers))
            set_caller(scope, caller)
            try:
                caller.principal = await self._principal(headers)
            except Refused as refused:
                caller.refusal = refused
        await self._app(scope, receive, send)

    async def _principal(self, headers: Headers) -> Principal | None:
        found = headers.getlist("authorization")
        if not found:
            return None
        if len(found) > 1:
            raise bad_token("there are several Authorization headers")
        scheme, _, token = found[0].partition(" ")
        if scheme.lower() != "bearer" or not token:
            raise no_token()
        try:
            return await self._verifier.verify(token.strip(" "))
        except TokenRefused as error:
            raise bad_token(str(error)) from error
        except KeysUnavailable as error:
            raise Refused(
                KEYS_AWAY,
                "tokens cannot be verified now: their issuer's keys are not known yet",
                headers={"Retry-After": "5"},
            ) from error


class Admission:
    """ASGI middleware: refuse whoever has no accepted token, except on open paths.

    Every path that is not named open is closed, one that a route forgot to guard as well.
    """

    def __init__(self, app: ASGIApp, open_paths: Collection[str]) -> None:
        self._app = app
        self._open = PathSet(open_paths)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, or answer 401."""
        if scope["type"] == "http" and scope["path"] not in self._open:
            caller = caller_of(scope)
            if caller.principal is None:
                await send_refusal(caller.refusal or no_token(), scope, receive, send)
                return
        await self._app(scope, receive, send)
