"""Check which servers a command uses."""

import os
from pathlib import Path

import pytest

from cli.servers import servers, triton_urls
from cli.settings import LocalSettings
from inference.settings import InferenceSettings


def test_configured_servers_are_taken_as_they_are(tmp_path: Path) -> None:
    """Nothing is started when the settings name servers."""
    settings = InferenceSettings(triton_urls=("grpc://a:1", "grpc://b:2"))
    with triton_urls(settings, LocalSettings(data_dir=tmp_path)) as urls:
        assert urls == ("grpc://a:1", "grpc://b:2")
    assert not list(tmp_path.iterdir())


def test_a_job_takes_configured_servers_as_they_are(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing is started for it either, and the environment is left as it was."""
    monkeypatch.setenv("NIGHTSHIFT_TRITON_URLS", "grpc://a:1, grpc://b:2")
    monkeypatch.setenv("PREFECT_API_URL", "http://c:3/api")
    before = dict(os.environ)
    with servers(LocalSettings(data_dir=tmp_path), models=[]) as urls:
        assert urls == ("grpc://a:1", "grpc://b:2")
    assert dict(os.environ) == before
    assert not list(tmp_path.iterdir())
