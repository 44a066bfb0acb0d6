"""Settings: read from the environment, once."""

import pytest
from pydantic import ValidationError

from api.settings import ApiSettings, Settings


def test_everything_comes_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each part has its own variables."""
    monkeypatch.setenv("NIGHTSHIFT_API_PORT", "9000")
    monkeypatch.setenv("NIGHTSHIFT_DATABASE_URL", "sqlite:///elsewhere.db")
    monkeypatch.setenv("NIGHTSHIFT_TRITON_URLS", "a:1,b:1")
    settings = Settings.read()
    assert settings.api == ApiSettings(port=9000)
    assert settings.registry.database_url == "sqlite:///elsewhere.db"
    assert settings.inference.triton_urls == ("a:1", "b:1")


@pytest.mark.parametrize(
    ("name", "value"),
    [("PORT", "65536"), ("HOST", ""), ("CHECK_TIMEOUT_S", "0"), ("DRAIN_S", "-1")],
)
def test_what_cannot_be_meant_is_refused(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    """Before anything is opened."""
    monkeypatch.setenv(f"NIGHTSHIFT_API_{name}", value)
    with pytest.raises(ValidationError):
        ApiSettings()
