"""Headers of inference requests."""

import pytest
from fastapi import Request

from api.gateway.principal import Caller, Principal, set_caller
from api.v2.headers import Told, read_headers


def request_with(scopes: set[str], headers: dict[str, str]) -> Request:
    """Return a request whose token has the scopes."""
    sent = [(name.lower().encode(), value.encode()) for name, value in headers.items()]
    scope = {"type": "http", "headers": sent}
    set_caller(scope, Caller("192.0.2.1", Principal("tester", frozenset(scopes))))
    return Request(scope)


def test_what_headers_say_is_read() -> None:
    """Times in milliseconds become seconds."""
    headers = {
        "Inference-Header-Content-Length": "7",
        "X-Request-Timeout-Ms": "1500",
        "X-Sticky-Key": "ann",
        "X-Pin-Version": "2",
    }
    assert read_headers(request_with({"inference:run", "inference:pin"}, headers)) == Told(
        json_bytes=7, timeout_s=1.5, sticky_key="ann", pinned=2, may_go_first=False
    )


@pytest.mark.parametrize(
    ("scopes", "may_go_first"),
    [({"inference:run"}, False), ({"inference:run", "inference:priority"}, True)],
)
def test_the_token_says_who_may_go_first(scopes: set[str], may_go_first: bool) -> None:
    """Nothing else does."""
    assert read_headers(request_with(scopes, {})) == Told(
        json_bytes=None, timeout_s=None, sticky_key="", pinned=None, may_go_first=may_go_first
    )
