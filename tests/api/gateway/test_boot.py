"""Boot: what would let anyone in does not start."""

import pytest

from api.gateway.boot import UnsafeConfiguration, is_loopback, signing_secret
from api.gateway.settings import TokenSettings

GOOD = "5f0c3ab9d1e74c6280b94e2f7a61d83c"


@pytest.mark.parametrize(
    ("settings", "host", "words"),
    [
        ({}, "0.0.0.0", "development gives tokens away"),
        ({}, "::", "development gives tokens away"),
        ({"secret": GOOD}, "10.0.0.1", "NIGHTSHIFT_ENVIRONMENT=production"),
        ({"environment": "production"}, "0.0.0.0", "openssl rand -hex 32"),
        ({"environment": "production"}, "127.0.0.1", "openssl rand -hex 32"),
        ({"environment": "production", "secret": "short"}, "0.0.0.0", "has 5 bytes"),
        ({"environment": "production", "secret": GOOD[:31]}, "0.0.0.0", "has 31 bytes"),
        ({"secret": GOOD[:31]}, "127.0.0.1", "has 31 bytes"),
        ({"environment": "production", "secret": "ab" * 20}, "0.0.0.0", "can be guessed"),
        ({"environment": "production", "secret": f"changeme{GOOD}"}, "0.0.0.0", "can be guessed"),
        ({"environment": "production", "secret": f"Your-Secret-{GOOD}"}, "::1", "can be guessed"),
        ({"secret": GOOD, "jwks_url": "https://a/b", "issuer": "c"}, "::1", "not both"),
        ({"jwks_url": "https://a/b"}, "::1", "needs NIGHTSHIFT_JWT_ISSUER"),
        ({"jwks_url": "http://a/b", "issuer": "c"}, "::1", "must be https"),
        ({"jwks_url": "file:///etc/passwd", "issuer": "c"}, "::1", "must be https"),
        ({"jwks_url": "https:///keys", "issuer": "c"}, "::1", "must be https"),
    ],
)
def test_unsafe_settings_are_refused(settings: dict[str, str], host: str, words: str) -> None:
    """In one line with the remedy, which tells nothing of the secret."""
    with pytest.raises(UnsafeConfiguration, match=words) as refused:
        signing_secret(TokenSettings.model_validate(settings), host=host)
    told = str(refused.value)
    assert "\n" not in told
    assert settings.get("secret", "no secret") not in told


def test_safe_settings_have_their_secret() -> None:
    """An issuer's keys need none."""
    production = TokenSettings.model_validate({"environment": "production", "secret": GOOD})
    assert signing_secret(production, host="0.0.0.0") == GOOD.encode()
    issued = TokenSettings(jwks_url="http://127.0.0.1:9/keys", issuer="a")
    assert signing_secret(issued, host="::1") is None


def test_development_makes_a_secret_of_its_own() -> None:
    """There is no default that anyone could know."""
    first, second = (signing_secret(TokenSettings(), host="localhost") for _ in range(2))
    assert first is not None
    assert second is not None
    assert first != second
    assert len(first) == 32


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        ("127.0.0.1", True),
        ("127.8.8.8", True),
        ("::1", True),
        ("[::1]", True),
        ("LOCALHOST", True),
        ("0.0.0.0", False),
        ("::", False),
        ("localhost.example.org", False),
        ("127.0.0.1.nip.io", False),
        ("", False),
    ],
)
def test_only_loopback_is_loopback(host: str, expected: bool) -> None:
    """A name may be anyone's."""
    assert is_loopback(host) is expected
