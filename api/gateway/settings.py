"""What the gateway is told by its environment."""

import re
from dataclasses import replace
from ipaddress import IPv4Network, IPv6Network
from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import BeforeValidator, Field, SecretStr, field_validator, model_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from api.gateway.body_bounds import BodyBounds
from api.gateway.expected import Expected
from api.gateway.quotas import Quotas, Rate
from api.gateway.scopes import ScopeName

_RATE = re.compile(r"([1-9]\d{0,8})/([1-9]\d{0,6})")
_MODEL = re.compile(r"\*|[A-Za-z0-9_.-]{1,128}")


def _listed(value: object) -> object:
    """Read a list as it is written in a variable, `a,b`."""
    if not isinstance(value, str):
        return value
    return tuple(part.strip() for part in value.split(",") if part.strip())


def _rate(value: object) -> object:
    """Read `600/60`: requests in any so many seconds; `none` for no limit."""
    if not isinstance(value, str):
        return value
    found = _RATE.fullmatch(value)
    if found:
        return Rate(limit=int(found[1]), window_s=int(found[2]))
    if value == "none":
        return None
    raise ValueError("say it as REQUESTS/SECONDS, for example 600/60, or none")


def _rates(value: object) -> object:
    """Read `models:write=60/60,models:read=none`, names with rates."""
    if not isinstance(value, str):
        return value
    pairs = (part.rpartition("=")[::2] for part in value.split(",") if part.strip())
    return {name.strip(): _rate(rate.strip()) for name, rate in pairs}


class TokenSettings(BaseSettings):
    """Whose tokens are accepted: `NIGHTSHIFT_JWT_…`, and `NIGHTSHIFT_ENVIRONMENT`."""

    model_config = SettingsConfigDict(
        env_prefix="NIGHTSHIFT_JWT_", frozen=True, extra="ignore", populate_by_name=True
    )

    environment: Literal["development", "production"] = Field(
        default="development", validation_alias="NIGHTSHIFT_ENVIRONMENT"
    )
    """`development` gives whoever asks a demo token, so it listens on loopback only. Forgetting to
    say `production` on a server therefore ends the start, and opens nothing."""
    secret: SecretStr | None = None
    """Secret of 32 bytes or more that HS256 tokens are signed with; this or `jwks_url` in
    production. Without either, development makes one that ends with the process."""
    jwks_url: str | None = Field(default=None, min_length=1)
    """Where the issuer publishes its RS256 and ES256 keys: https, or http on loopback."""
    issuer: str = Field(default="nightshift", min_length=1)
    """`iss` of accepted tokens. Must be said with `jwks_url`."""
    audience: str = Field(default="nightshift", min_length=1)
    """`aud` of accepted tokens."""
    leeway_s: float = Field(default=10.0, ge=0, le=30)
    """How far the issuer's clock may be from ours; RFC 8725 calls for no more than needed."""
    jwks_refresh_s: float = Field(default=300.0, ge=60)
    """Pause between two looks at the issuer's keys, after which a withdrawn one is refused."""
    jwks_timeout_s: float = Field(default=3.0, gt=0)
    """Longest wait for the issuer's keys."""
    demo_lifetime_s: float = Field(default=12 * 3600, gt=0)
    """Life of the demo token: a working day."""

    @property
    def expected(self) -> Expected:
        """What the claims of an accepted token are."""
        return Expected(self.issuer, self.audience, self.leeway_s)


class QuotaSettings(BaseSettings):
    """How many requests are allowed to whom: `NIGHTSHIFT_QUOTA_…`.

    Each rate is `REQUESTS/SECONDS`, counted in a moving window, or `none`.
    """

    model_config = SettingsConfigDict(
        env_prefix="NIGHTSHIFT_QUOTA_", frozen=True, extra="ignore", populate_by_name=True
    )

    subject: Annotated[Rate | None, NoDecode, BeforeValidator(_rate)] = Rate(6000, 60)
    """For each subject of a token: 100 a second over a minute, more than people or scripts need."""
    address: Annotated[Rate | None, NoDecode, BeforeValidator(_rate)] = Rate(600, 60)
    """For each address that sends no accepted token; it bounds guessing as well."""
    scopes: Annotated[dict[ScopeName, Rate], NoDecode, BeforeValidator(_rates)] = {}
    """For each subject on routes that need a scope: `models:write=60/60`."""
    models: Annotated[dict[str, Rate], NoDecode, BeforeValidator(_rates)] = {}
    """For each subject and model: `flights=100/1,*=1000/1`, where `*` is each other model."""
    redis_url: SecretStr | None = Field(
        default=None, min_length=1, validation_alias="NIGHTSHIFT_REDIS_URL"
    )
    """Redis that counts for all processes together; each counts for itself without."""
    redis_timeout_s: float = Field(default=0.25, gt=0)
    """Longest wait of a request for being counted; beyond, Redis counts as away for a second."""

    @field_validator("models")
    @classmethod
    def _named_as_models(cls, models: dict[str, Rate]) -> dict[str, Rate]:
        for name in models:
            if not _MODEL.fullmatch(name):
                raise ValueError("a model's name has letters, digits, _ . and - only")
        return models

    @property
    def quotas(self) -> Quotas:
        """What is allowed to whom."""
        return Quotas(self.subject, self.address, self.scopes, self.models)


class CorsSettings(BaseSettings):
    """Which web pages may use the API from a browser: `NIGHTSHIFT_CORS_…`."""

    model_config = SettingsConfigDict(env_prefix="NIGHTSHIFT_CORS_", frozen=True, extra="ignore")

    origins: Annotated[tuple[str, ...], NoDecode, BeforeValidator(_listed)] = ()
    """Origins, `https://console.example.org`; none by default. `*` is every page there is."""
    credentials: bool = False
    """Whether pages may send cookies; the API's own tokens need none. Not together with `*`."""
    max_age_s: int = Field(default=600, ge=0, le=86_400)
    """How long a browser remembers what it may do."""

    @model_validator(mode="after")
    def _cannot_let_everyone_in(self) -> "CorsSettings":
        if "*" in self.origins and self.credentials:
            raise ValueError("origins may not be * with credentials: name the origins")
        for origin in self.origins:
            parts = urlsplit(origin)
            if origin != "*" and (
                parts.scheme not in ("http", "https")
                or origin != f"{parts.scheme}://{parts.netloc}"
            ):
                raise ValueError(f"{origin!r} is not an origin like https://console.example.org")
        return self


class TrafficSettings(BaseSettings):
    """What a request and a connection may take: `NIGHTSHIFT_API_…`."""

    model_config = SettingsConfigDict(env_prefix="NIGHTSHIFT_API_", frozen=True, extra="ignore")

    trusted_proxies: Annotated[
        tuple[IPv4Network | IPv6Network, ...], NoDecode, BeforeValidator(_listed)
    ] = ()
    """Addresses or networks of the proxies whose `X-Forwarded-For` is believed; none by default."""
    max_body_bytes: int = Field(default=1 << 20, gt=0)
    """Largest body: what describes a model has kilobytes."""
    max_infer_bytes: int = Field(default=64 << 20, gt=0)
    """Largest body of a request to a model, compressed or not: what Triton's own HTTP takes."""
    max_infer_held_bytes: int = Field(default=256 << 20, gt=0)
    """Bodies of requests to models at a time, as they came and decompressed, until each is
    answered; others are refused at once with 503. Twice the largest body at least, which may come
    compressed. A body is copied on its way to a server: it takes up to three times its size."""
    body_grace_s: float = Field(default=10.0, gt=0)
    """Time in which any body may arrive, if it keeps coming."""
    body_pause_s: float = Field(default=4.0, gt=0)
    """Longest time in which nothing of a body arrives: half a request is gone within five seconds,
    and a lost packet on a bad line is sent again twice before."""
    min_body_bytes_per_s: float = Field(default=16_384.0, gt=0)
    """What a body must bring each second beyond that, on average; a bad mobile line brings more."""
    head_timeout_s: float = Field(default=3.0, gt=0)
    """Longest time for the lines before a body, or for a first request on a new connection: they
    come in one packet or a few, and each packet may be lost twice."""
    max_in_flight: int = Field(default=256, gt=0)
    """Requests that are answered at a time; others are refused at once with 503."""
    max_connections: int = Field(default=2048, gt=0)
    """Connections that are open at a time; it must leave descriptors for everything else."""
    metrics_token: SecretStr | None = None
    """Bearer token that `/metrics` asks for; open to whoever reaches the port unless it is set."""

    @model_validator(mode="after")
    def _has_room_for_the_largest(self) -> "TrafficSettings":
        if self.max_infer_held_bytes < 2 * self.max_infer_bytes:
            raise ValueError("max_infer_held_bytes must be twice max_infer_bytes at least")
        return self

    @property
    def body_bounds(self) -> BodyBounds:
        """What a body may be."""
        return BodyBounds(
            self.max_body_bytes,
            self.body_grace_s,
            self.body_pause_s,
            self.min_body_bytes_per_s,
            # No bound of its own: each request that is under way may have its body.
            max_held_bytes=self.max_in_flight * self.max_body_bytes,
        )

    @property
    def infer_bounds(self) -> BodyBounds:
        """What the body of a request to a model may be."""
        return replace(
            self.body_bounds,
            max_bytes=self.max_infer_bytes,
            max_held_bytes=self.max_infer_held_bytes,
            codings=("gzip", "deflate"),
        )
