"""Settings of the inference pool."""

import pytest
from pydantic import ValidationError

from inference.settings import InferenceSettings


def test_servers_are_separated_by_commas(monkeypatch: pytest.MonkeyPatch) -> None:
    """`NIGHTSHIFT_TRITON_URLS` is what a person would write, spaces included."""
    monkeypatch.setenv("NIGHTSHIFT_TRITON_URLS", "grpc://gpu-1:8001, gpu-2:8001,")
    assert InferenceSettings().triton_urls == ("grpc://gpu-1:8001", "gpu-2:8001")


@pytest.mark.parametrize("urls", [" , ", "gpu-1:8001,gpu-1:8001"])
def test_no_server_or_the_same_twice_is_refused(urls: str) -> None:
    """A pool with one server under two names would never be left alone."""
    with pytest.raises(ValidationError, match="server"):
        InferenceSettings(triton_urls=urls)  # type: ignore[arg-type] # text, as from the environment
