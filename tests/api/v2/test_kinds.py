"""What callers are told of a request that has no answer."""

import pytest

from api.online.port import (
    CallRefused,
    CallTooLarge,
    DeadlinePassed,
    NameUnknown,
    OnlineError,
    PoolAway,
    PoolBusy,
    ServerFailed,
)
from api.v2.kinds import refused


@pytest.mark.parametrize(
    ("error", "status", "headers"),
    [
        (NameUnknown("no"), 404, {}),
        (CallRefused("no"), 400, {}),
        (CallTooLarge("no"), 413, {}),
        (DeadlinePassed("no"), 504, {}),
        (ServerFailed("no"), 502, {}),
        (PoolBusy("no", retry_after_s=0.2), 503, {"Retry-After": "1"}),
        (PoolBusy("no", retry_after_s=2.0), 503, {"Retry-After": "2"}),
        (PoolAway("no", retry_after_s=4.1), 503, {"Retry-After": "5"}),
    ],
)
def test_each_error_has_its_status(
    error: OnlineError, status: int, headers: dict[str, str]
) -> None:
    """A pool that is full or away says when to come back: whole seconds, never too soon."""
    told = refused(error)
    assert (told.kind.status, dict(told.headers), told.detail) == (status, headers, "no")
