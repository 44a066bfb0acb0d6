"""Answer Prometheus."""

import hmac

from fastapi import APIRouter, Request, Response

from api.gateway.refusals import no_token
from telemetry.metrics import CONTENT_TYPE, Metrics

PATH = "/metrics"

router = APIRouter(include_in_schema=False)


class Exposition:
    """The metrics, and who may read them."""

    def __init__(self, metrics: Metrics, token: str | None) -> None:
        """Whoever reaches the port may read them without a `token`."""
        self._metrics = metrics
        self._expected = f"Bearer {token}".encode() if token is not None else None

    def read(self, authorization: str) -> bytes:
        """Return the metrics; raises `Refused`."""
        given = authorization.encode()
        if self._expected is not None and not hmac.compare_digest(given, self._expected):
            raise no_token()
        return self._metrics.exposition()


@router.get(PATH)
async def metrics(request: Request) -> Response:
    """Return what this process has counted, in Prometheus' text format."""
    exposition = request.app.state.exposition
    assert isinstance(exposition, Exposition)
    text = exposition.read(request.headers.get("authorization", ""))
    return Response(text, media_type=CONTENT_TYPE, headers={"Cache-Control": "no-store"})
