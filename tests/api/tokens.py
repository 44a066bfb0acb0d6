"""Tokens that the API under test accepts."""

import time
from collections.abc import Iterable

from api.gateway.scopes import ALL_SCOPES
from api.gateway.settings import TokenSettings
from api.gateway.tokens import make_token

SECRET = "0123456789abcdef-of-these-tests-only"

SETTINGS = TokenSettings(environment="production", secret=SECRET)  # type: ignore[arg-type]  # pydantic wraps the text


def token(scopes: Iterable[str] = ALL_SCOPES, *, subject: str = "tester") -> str:
    """Return a token of `subject` that lasts as long as any test."""
    return make_token(
        SECRET.encode(),
        subject=subject,
        scopes=scopes,
        expected=SETTINGS.expected,
        now=time.time(),
        lifetime_s=3600,
    )


def bearer(scopes: Iterable[str] = ALL_SCOPES, *, subject: str = "tester") -> dict[str, str]:
    """Return the header that sends such a token."""
    return {"Authorization": f"Bearer {token(scopes, subject=subject)}"}
