"""Hold what the gateway's middleware works with."""

import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field

import httpx
from redis.asyncio import Redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from api.checks import Check, CheckFailed
from api.gateway.boot import signing_secret
from api.gateway.demo import Demo
from api.gateway.draining import Departure
from api.gateway.jwks import PublishedKeys
from api.gateway.keys import SharedSecret
from api.gateway.outage import FailOpen
from api.gateway.proxies import Clients
from api.gateway.rate_limits import Limiter
from api.gateway.redis_windows import RedisWindows
from api.gateway.route_table import RouteTable
from api.gateway.settings import QuotaSettings, TokenSettings
from api.gateway.tokens import Verifier
from api.gateway.windows import LocalWindows, Windows
from api.settings import Settings
from telemetry.metrics import Metrics
from telemetry.version import platform_version


@dataclass(frozen=True, slots=True)
class Gateway:
    """What every request meets before its route."""

    verifier: Verifier
    """Tells whose token it is."""
    limiter: Limiter
    """Counts requests."""
    clients: Clients
    """Tells addresses behind proxies."""
    metrics: Metrics
    """What is counted for Prometheus."""
    demo: Demo | None
    """Gives tokens away; None in production."""
    published: PublishedKeys | None
    """The issuer's keys; None with a shared secret."""
    redis: "Redis | None"
    """Where requests are counted; None in this process."""
    routes: RouteTable = field(default_factory=RouteTable)
    """The templates of all paths."""
    departure: Departure = field(default_factory=Departure)
    """Whether the process is about to end."""

    @property
    def checks(self) -> tuple[Check, ...]:
        """What the gateway cannot do without. Redis is not: see `FailOpen`."""
        return (Check("keys", self._look_for_keys),) if self.published else ()

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Keep fresh what must be, for the length of the block."""
        async with AsyncExitStack() as stack:
            if self.published is not None:
                await stack.enter_async_context(self.published.kept_fresh())
            if self.redis is not None:
                stack.push_async_callback(self.redis.aclose)
            yield

    async def _look_for_keys(self) -> None:
        if self.published is not None and not self.published.known:
            raise CheckFailed("the issuer of tokens has not published its keys since the start")


def gateway_of(settings: Settings) -> Gateway:
    """Return the gateway; raises `UnsafeConfiguration` rather than one that lets anyone in."""
    secret = signing_secret(settings.tokens, host=settings.api.host)
    published = None if secret is not None else _published(settings.tokens)
    development = settings.tokens.environment == "development"
    redis = _redis(settings.quotas)
    token = settings.tokens
    keys = SharedSecret(secret) if secret is not None else published
    assert keys is not None
    return Gateway(
        verifier=Verifier(keys, token.expected, clock=time.time),
        limiter=Limiter(settings.quotas.quotas, _windows(redis, settings.quotas)),
        clients=Clients(settings.traffic.trusted_proxies),
        metrics=Metrics(platform_version()),
        demo=Demo(secret, token, clock=time.time) if secret is not None and development else None,
        published=published,
        redis=redis,
    )


def _published(settings: TokenSettings) -> PublishedKeys:
    assert settings.jwks_url is not None
    return PublishedKeys(
        settings.jwks_url,
        # A redirect could lead anywhere; the environment's proxies are for other programs.
        httpx.AsyncClient(follow_redirects=False, trust_env=False),
        refresh_s=settings.jwks_refresh_s,
        timeout_s=settings.jwks_timeout_s,
        clock=time.monotonic,
    )


def _redis(settings: QuotaSettings) -> "Redis | None":
    if settings.redis_url is None:
        return None
    # Whoever waits is a request, which the outage's own rule serves faster than a retry.
    return Redis.from_url(
        settings.redis_url.get_secret_value(),
        retry=Retry(NoBackoff(), retries=0),
        socket_connect_timeout=settings.redis_timeout_s,
        socket_timeout=settings.redis_timeout_s,
    )


def _windows(redis: "Redis | None", settings: QuotaSettings) -> Windows:
    local = LocalWindows(clock=time.monotonic)
    if redis is None:
        return local
    return FailOpen(RedisWindows(redis), local, clock=time.monotonic)
