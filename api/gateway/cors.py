"""Let web pages of other origins use the API."""

from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware

from api.gateway.settings import CorsSettings

_METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE")
_SENT = (
    "Authorization",
    "Content-Type",
    "Idempotency-Key",
    "If-Match",
    "If-None-Match",
    "Inference-Header-Content-Length",
    "X-Request-ID",
    "traceparent",
    "tracestate",
)
_READ = (
    "ETag",
    "Inference-Header-Content-Length",
    "Link",
    "Location",
    "RateLimit",
    "RateLimit-Policy",
    "Retry-After",
    "X-RateLimit-Limit",
    "X-RateLimit-Remaining",
    "X-RateLimit-Reset",
    "X-Request-ID",
    "traceparent",
)
"""What a page may read of an answer's headers besides the few that it always may."""


def cors(settings: CorsSettings) -> list[Middleware]:
    """Return the middleware; none without other origins, which browsers refuse by themselves."""
    if not settings.origins:
        return []
    middleware = Middleware(
        CORSMiddleware,
        allow_origins=settings.origins,
        allow_credentials=settings.credentials,
        allow_methods=_METHODS,
        allow_headers=_SENT,
        expose_headers=_READ,
        max_age=settings.max_age_s,
    )
    return [middleware]
