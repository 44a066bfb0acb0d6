"""Settings: each is described, with its default."""

import re
import subprocess
import sys
from collections.abc import Iterator

import pytest
from pydantic import SecretStr
from pydantic_settings import BaseSettings

from api.gateway.quotas import Rate
from api.gateway.scopes import SCOPES
from api.gateway.settings import CorsSettings, QuotaSettings, TokenSettings, TrafficSettings
from api.settings import ApiSettings
from tests.conftest import ROOT

PAGE = ROOT / "docs" / "gateway.md"
CLASSES: list[type[BaseSettings]] = [
    TokenSettings,
    QuotaSettings,
    CorsSettings,
    TrafficSettings,
    ApiSettings,
]


def variables() -> Iterator[tuple[str, str]]:
    """Go through all variables with their defaults as one writes them."""
    for settings in CLASSES:
        prefix = settings.model_config["env_prefix"]
        for name, field in settings.model_fields.items():
            variable = field.validation_alias or f"{prefix}{name.upper()}"
            assert isinstance(variable, str)
            yield variable, _written(field.default)


def _written(default: object) -> str:
    if default is None or default in ((), {}):
        return ""
    if isinstance(default, bool):
        return str(default).lower()
    return f"{default:g}" if isinstance(default, float) else str(default)


def test_the_page_has_every_setting() -> None:
    """And no other, with the defaults that hold."""
    rows = re.findall(
        r"^\| `(NIGHTSHIFT_\w+)` \| (?:`([^`]*)`)? ?\|", PAGE.read_text(), re.MULTILINE
    )
    assert dict(rows) == dict(variables())
    assert len(rows) == len(dict(rows))


def test_the_page_has_every_scope() -> None:
    """In the words of the API's description."""
    rows = re.findall(r"^\| `(\w+:\w+)` \| (.+) \|$", PAGE.read_text(), re.MULTILINE)
    assert dict(rows) == dict(SCOPES)


def test_lists_and_rates_are_written_plainly(monkeypatch: pytest.MonkeyPatch) -> None:
    """As one would write them by hand, not as JSON."""
    monkeypatch.setenv("NIGHTSHIFT_QUOTA_SUBJECT", "none")
    monkeypatch.setenv("NIGHTSHIFT_QUOTA_ADDRESS", "5/1")
    monkeypatch.setenv("NIGHTSHIFT_QUOTA_SCOPES", "models:write=60/60, pools:write=6/1")
    monkeypatch.setenv("NIGHTSHIFT_QUOTA_MODELS", "a.b=1/2,*=3/4")
    monkeypatch.setenv("NIGHTSHIFT_REDIS_URL", "redis://:secret@127.0.0.1:6379/0")
    monkeypatch.setenv("NIGHTSHIFT_API_TRUSTED_PROXIES", "10.0.0.0/8, 192.0.2.7,fd00::/8")
    monkeypatch.setenv("NIGHTSHIFT_CORS_ORIGINS", "https://a.example, https://b.example:8443")
    quotas = QuotaSettings()
    assert quotas.subject is None
    assert quotas.address == Rate(5, 1)
    assert quotas.scopes == {"models:write": Rate(60, 60), "pools:write": Rate(6, 1)}
    assert quotas.models == {"a.b": Rate(1, 2), "*": Rate(3, 4)}
    assert quotas.redis_url == SecretStr("redis://:secret@127.0.0.1:6379/0")
    assert "secret" not in repr(quotas)
    assert [str(each) for each in TrafficSettings().trusted_proxies] == [
        "10.0.0.0/8",
        "192.0.2.7/32",
        "fd00::/8",
    ]
    assert CorsSettings().origins == ("https://a.example", "https://b.example:8443")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("ENVIRONMENT", "staging"),
        ("JWT_LEEWAY_S", "31"),
        ("JWT_JWKS_REFRESH_S", "59"),
        ("QUOTA_SCOPES", "models:wirte=1/1"),
        ("QUOTA_MODELS", "a/b=1/1"),
        ("API_TRUSTED_PROXIES", "10.0.0.0/33"),
        ("API_MAX_BODY_BYTES", "0"),
        ("API_MAX_INFER_HELD_BYTES", "134217727"),
    ],
)
def test_what_cannot_be_meant_is_refused(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    """Before anything is opened."""
    monkeypatch.setenv(f"NIGHTSHIFT_{name}", value)
    with pytest.raises(ValueError, match="validation error"):
        for settings in CLASSES:
            settings()


def test_reading_settings_loads_no_framework() -> None:
    """Every command looks through them for misspelt variables, and help must show at once."""
    asked = (
        "import sys, api.settings; print(sorted({'fastapi', 'starlette', 'jwt'} & {*sys.modules}))"
    )
    told = subprocess.run(
        [sys.executable, "-c", asked], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert told.stdout == "[]\n"
