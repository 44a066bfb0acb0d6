"""Check when too many rows of a job have gone to the quarantine."""

from fractions import Fraction

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from flows.budget import ErrorBudget
from flows.errors import BudgetExceeded

REASONS = st.lists(st.sampled_from(["null in x", "rejected by the model"]), max_size=5)


def budget(rows: int | None = None, *, fraction: float | None = None, of: int = 100) -> ErrorBudget:
    """A budget of a job of `of` rows."""
    return ErrorBudget(total_rows=of, max_fraction=fraction, max_rows=rows)


@pytest.mark.parametrize(
    ("rows", "fraction", "allowed"),
    [(None, None, 0), (7, None, 7), (None, 0.05, 5), (7, 0.05, 5), (3, 0.05, 3), (0, 1.0, 0)],
)
def test_the_smaller_limit_counts(rows: int | None, fraction: float | None, allowed: int) -> None:
    """Without any limit no row may be quarantined at all."""
    assert budget(rows, fraction=fraction).allowed == allowed


@example(percent=29, rows=100)
@given(percent=st.integers(0, 100), rows=st.integers(0, 10**9))
def test_a_share_is_exact(percent: int, rows: int) -> None:
    """29 % of 100 rows are 29, whatever binary fractions make of it."""
    allowed = budget(fraction=percent / 100, of=rows).allowed
    assert allowed == int(rows * Fraction(percent, 100))


@given(st.lists(st.tuples(st.integers(0, 3), REASONS, st.booleans()), max_size=12))
def test_a_shard_that_starts_again_is_counted_once(
    charges: list[tuple[int, list[str], bool]],
) -> None:
    """What is spent is what the last attempts of the shards quarantined."""
    own = budget(10**6)
    expected: dict[int, int] = {}
    for shard, reasons, restarts in charges:
        if restarts:
            own.forget(shard)
            expected.pop(shard, None)
        own.charge(shard, reasons)
        expected[shard] = expected.get(shard, 0) + len(reasons)
    assert own.spent == sum(expected.values())
    assert own.remaining == 10**6 - own.spent


def test_one_row_too_many_is_an_error_with_the_reasons() -> None:
    """The most frequent reasons are told, with what can be done."""
    own = budget(3)
    own.charge_counted(0, {"null in x": 2})
    own.charge(1, ["text that is not UTF-8"])
    assert own.remaining == 0
    with pytest.raises(BudgetExceeded) as caught:
        own.charge(1, ["null in x"])
    assert str(caught.value) == (
        "at least 4 rows cannot be scored (3 × null in x; 1 × text that is not UTF-8), while the "
        "job allows 3: mend the rows, or allow more with --max-quarantined 5% (or a number of rows)"
    )
    assert (caught.value.quarantined, caught.value.allowed, own.remaining) == (4, 3, 0)


def test_without_a_limit_the_first_row_ends_the_job() -> None:
    """Strict by default, and said so."""
    with pytest.raises(BudgetExceeded, match=r"1 row cannot be scored .* allows none"):
        budget().charge(0, ["null in x"])
    assert "(no reason was given)" in str(budget().exceeded())
    assert "2 × null in x" in str(budget().exceeded(["null in x"] * 2))
