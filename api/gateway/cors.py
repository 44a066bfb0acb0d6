"""Let web pages of other origins use the API."""

from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware

from api.gateway.settings import CorsSettings

_METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE")
SENT = (
    "Authorization",
    "Content-Encoding",
    "Content-Type",
    "Idempotency-Key",
    "If-Match",
    "If-None-Match",
    "Inference-Header-Content-Length",
    "X-Pin-Version",
    "X-Request-ID",
    "X-Request-Timeout-Ms",
    "X-Sticky-Key",
    "traceparent",
    "tracestate",
)
"""What a page may send besides the few headers that it always may: all that a route reads."""
EXPOSED = (
    "Accept-Encoding",
    "Accept-Patch",
    "Allow",
    "Content-Encoding",
    "ETag",
    "Idempotency-Key-Expires",
    "Idempotency-Replayed",
    "Inference-Header-Content-Length",
    "Link",
    "Location",
    "RateLimit",
    "RateLimit-Policy",
    "Retry-After",
    "WWW-Authenticate",
    "X-RateLimit-Limit",
    "X-RateLimit-Remaining",
    "X-RateLimit-Reset",
    "X-Request-ID",
    "traceparent",
    "tracestate",
)
"""What a page may read of an answer's headers besides the few that it always may: all the rest."""


def cors(settings: CorsSettings) -> list[Middleware]:
    """Return the middleware; none without other origins, which browsers refuse by themselves."""
    if not settings.origins:
        return []
    middleware = Middleware(
        CORSMiddleware,
        allow_origins=settings.origins,
        allow_credentials=settings.credentials,
        allow_methods=_METHODS,
        allow_headers=SENT,
        expose_headers=EXPOSED,
        max_age=settings.max_age_s,
    )
    return [middleware]
