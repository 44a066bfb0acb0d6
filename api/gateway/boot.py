"""Refuse to start in a way that would let anyone in."""

import ipaddress
import secrets
from urllib.parse import urlsplit

from api.gateway.settings import TokenSettings

_SHORTEST_SECRET = 32
"""Bytes; RFC 7518, section 3.2: as long as the hash of HS256."""
_FEWEST_SYMBOLS = 8
"""32 random hexadecimal digits have fewer different ones once in 10^9; a typed one often has."""
_PLACEHOLDERS = ("changeme", "change-me", "change_me", "placeholder", "your-", "example", "default")


class UnsafeConfiguration(Exception):
    """A configuration that the API does not start with; the words name the remedy."""


def signing_secret(settings: TokenSettings, *, host: str) -> bytes | None:
    """Return the secret that tokens are signed with, None when keys come from an issuer.

    1. Development listens on loopback only: it gives tokens away.
    2. A secret that is short or guessable is refused, in development as well.
    3. Production has either a secret or an issuer's keys.
    4. Development without either makes a secret of its own: no default exists that could be known.

    Raises `UnsafeConfiguration`.
    """
    development = settings.environment == "development"
    if development and not is_loopback(host):
        raise UnsafeConfiguration(
            f"development gives tokens away, so it does not listen on {host}: set "
            "NIGHTSHIFT_ENVIRONMENT=production, or NIGHTSHIFT_API_HOST=127.0.0.1"
        )
    if settings.secret is not None and settings.jwks_url is not None:
        raise UnsafeConfiguration("set NIGHTSHIFT_JWT_SECRET or NIGHTSHIFT_JWT_JWKS_URL, not both")
    if settings.jwks_url is not None:
        if "issuer" not in settings.model_fields_set:
            raise UnsafeConfiguration("NIGHTSHIFT_JWT_JWKS_URL needs NIGHTSHIFT_JWT_ISSUER as well")
        _require_private(settings.jwks_url)
        return None
    if settings.secret is not None:
        return _judged(settings.secret.get_secret_value().encode())
    if development:
        return secrets.token_bytes(_SHORTEST_SECRET)
    raise UnsafeConfiguration(
        "production needs NIGHTSHIFT_JWT_SECRET (make one with `openssl rand -hex 32`) or "
        "NIGHTSHIFT_JWT_JWKS_URL"
    )


def is_loopback(host: str) -> bool:
    """Say whether only this machine can reach `host`; a name other than localhost may be any."""
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return host.lower() == "localhost"


def _require_private(url: str) -> None:
    """Refuse a URL whose keys someone on the way could exchange."""
    parts = urlsplit(url)
    private = parts.scheme == "https" or is_loopback(parts.hostname or "")
    if parts.scheme not in ("http", "https") or not parts.hostname or not private:
        raise UnsafeConfiguration("NIGHTSHIFT_JWT_JWKS_URL must be https, or http on loopback")


def _judged(secret: bytes) -> bytes:
    """Return the secret; nothing that is said of it tells any of it."""
    remedy = "make one with `openssl rand -hex 32`"
    if len(secret) < _SHORTEST_SECRET:
        raise UnsafeConfiguration(
            f"NIGHTSHIFT_JWT_SECRET has {len(secret)} bytes, fewer than {_SHORTEST_SECRET}: "
            f"{remedy}"
        )
    lowered = secret.lower().decode(errors="replace")
    if len(set(secret)) < _FEWEST_SYMBOLS or any(word in lowered for word in _PLACEHOLDERS):
        raise UnsafeConfiguration(f"NIGHTSHIFT_JWT_SECRET can be guessed: {remedy}")
    return secret
