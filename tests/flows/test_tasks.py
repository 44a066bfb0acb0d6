"""Check which failures of a task are worth another try."""

import pytest
from prefect.client.schemas.objects import State
from prefect.states import Completed, Failed

from flows.errors import BudgetExceeded
from flows.shards.errors import AmbiguousPut, CorruptPage, StoreUnavailable
from flows.tasks import may_retry, whole
from inference.errors import (
    ContractViolation,
    DeadlineExceeded,
    PoolUnavailable,
    RequestRejected,
    ServerOverloaded,
    ServerUnreachable,
)

TRANSIENT = [
    ServerUnreachable("gone"),
    ServerOverloaded("busy"),
    DeadlineExceeded("late"),
    PoolUnavailable("away", retry_after_s=1.0),
    StoreUnavailable("s3://x/y", "503"),
    AmbiguousPut("s3://x/y", "timeout"),
]
PERMANENT = [
    BudgetExceeded(quarantined=1, allowed=0, reasons=[]),
    CorruptPage("a.parquet", 0, "bad"),
    ContractViolation("3 rows for 4"),
    RequestRejected("no"),
    KeyError("a fault in the program"),
]


@pytest.mark.parametrize(
    ("error", "again"),
    [*((error, True) for error in TRANSIENT), *((error, False) for error in PERMANENT)],
    ids=lambda value: type(value).__name__,
)
async def test_only_what_may_pass_by_itself_is_tried_again(error: Exception, again: bool) -> None:
    """Rows, files and answers at fault are the same on every try."""
    state: State[Exception] = Failed(data=error)
    assert await may_retry(None, None, state) is again  # type: ignore[arg-type]  # unused there


async def test_a_result_is_no_error() -> None:
    """Nothing to try again."""
    assert not await may_retry(None, None, Completed(data=3))  # type: ignore[arg-type]  # unused there


def test_a_value_is_handed_over_whole() -> None:
    """Prefect gives the very same object to the task."""
    value = object()
    assert whole(value).unquote() is value  # type: ignore[attr-defined]  # a quote, whatever it says
