"""Find out who calls."""

from collections.abc import Collection
from http import HTTPStatus

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from api.gateway.claims import TokenRefused
from api.gateway.keys import KeysUnavailable
from api.gateway.principal import Caller, Principal, caller_of, set_caller
from api.gateway.refusals import Refusal, bad_token, no_token
from api.gateway.tokens import Verifier


class Identification:
    """ASGI middleware: note whose token the request has; refuses nothing.

    So a token that is not accepted is counted against its sender's quota before it is answered.
    """

    def __init__(self, app: ASGIApp, verifier: Verifier) -> None:
        self._app = app
        self._verifier = verifier

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on."""
        if scope["type"] == "http":
            client = scope.get("client")
            caller = Caller(client[0] if client else "unknown")
            set_caller(scope, caller)
            try:
                caller.principal = await self._principal(Headers(scope=scope))
            except Refusal as refusal:
                caller.refusal = refusal
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
            raise Refusal(
                HTTPStatus.SERVICE_UNAVAILABLE,
                "tokens cannot be verified now: their issuer's keys are not known yet",
                headers={"Retry-After": "5"},
            ) from error


class Admission:
    """ASGI middleware: refuse whoever has no accepted token, except on open paths.

    Every path that is not named open is closed, one that a route forgot to guard as well.
    """

    def __init__(self, app: ASGIApp, open_paths: Collection[str]) -> None:
        """`open_paths` ends a prefix with `/`; any other path is open itself."""
        self._app = app
        self._paths = frozenset(path for path in open_paths if not path.endswith("/"))
        self._prefixes = tuple(path for path in open_paths if path.endswith("/"))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, or answer 401."""
        if scope["type"] == "http" and not self._is_open(scope["path"]):
            caller = caller_of(scope)
            if caller.principal is None:
                await (caller.refusal or no_token()).send(scope, receive, send)
                return
        await self._app(scope, receive, send)

    def _is_open(self, path: str) -> bool:
        return path in self._paths or path.startswith(self._prefixes)
