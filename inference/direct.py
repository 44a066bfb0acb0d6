"""Ask one server for online requests without the stock library between."""

import os
from collections.abc import Mapping, Sequence

from inference.addresses import InvalidAddress, check_address
from inference.failures import failure
from inference.gathered import Piece
from inference.grpc_fields import CallFailed
from inference.unary_channel import UnaryChannel

INFER_METHOD = "/inference.GRPCInferenceService/ModelInfer"
LAST_ANSWER_S = 1.0
"""How long an answer that nobody wants is awaited: longer than a microbatch takes, short enough
for Ctrl-C."""

_SCHEME = "grpc://"
_PROXIES = ("grpc_proxy", "https_proxy", "http_proxy")
"""Where gRPC looks for a proxy to servers."""


class DirectServer:
    """One server; the connection is made by the first request. See docs/adr/0028."""

    def __init__(
        self, url: str, *, max_bytes: int, environment: Mapping[str, str] | None = None
    ) -> None:
        """Answers may have `max_bytes`; `environment` is the process's unless given."""
        named = os.environ if environment is None else environment
        self._url = url
        self._channel = _channel(url.removeprefix(_SCHEME), max_bytes, named)

    @property
    def fits(self) -> bool:
        """Whether it is reached like this: not through a proxy, nor by another kind of address."""
        return self._channel is not None

    async def infer(self, pieces: Sequence[Piece], *, timeout_s: float, traceparent: str) -> bytes:
        """Return the answer as it travelled; raises as `Server.infer` does."""
        assert self._channel is not None
        try:
            return await self._channel.call(
                INFER_METHOD,
                pieces,
                timeout_s=timeout_s,
                grace_s=LAST_ANSWER_S,
                more={"traceparent": traceparent} if traceparent else {},
            )
        except CallFailed as failed:
            raise failure(failed.code, failed.words, server=self._url) from failed

    async def close(self) -> None:
        """Give up the connection, once requests that nobody waits for had time to end."""
        if self._channel is not None:
            await self._channel.close(within_s=LAST_ANSWER_S)


def _channel(address: str, max_bytes: int, environment: Mapping[str, str]) -> UnaryChannel | None:
    if any(environment.get(name) for name in _PROXIES):
        return None
    try:
        return UnaryChannel(check_address(address), max_bytes=max_bytes)
    except InvalidAddress:
        return None
