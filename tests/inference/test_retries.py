"""What follows a failed try."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inference import errors
from inference.retries import Course, RetryBudget, Step


@pytest.mark.parametrize(
    ("kind", "steps"),
    [
        (errors.ServerUnreachable, [Step.ELSEWHERE, Step.ELSEWHERE, Step.RAISE]),
        (errors.DeadlineExceeded, [Step.ELSEWHERE, Step.ELSEWHERE, Step.RAISE]),
        (errors.ModelNotReady, [Step.ELSEWHERE, Step.ELSEWHERE, Step.RAISE]),
        (errors.ServerFault, [Step.ELSEWHERE, Step.RAISE]),
        (errors.ServerOverloaded, [Step.SHIFT] * 5),
        (errors.ServerSlow, [Step.RAISE]),
        (errors.RequestRejected, [Step.RAISE]),
        (errors.MicrobatchTooLarge, [Step.RAISE]),
        (errors.ContractViolation, [Step.RAISE]),
    ],
)
def test_each_error_has_its_course(kind: type[errors.InferenceError], steps: list[Step]) -> None:
    """Transient errors go elsewhere, faults once, overloads wait, the rest is permanent."""
    course = Course(max_attempts=3, rows=2)
    assert [course.after(kind("failed")) for _ in steps] == steps


def test_a_single_row_waits_for_its_turn_on_a_slow_server_again() -> None:
    """There is nothing smaller to ask for; each time is a try."""
    course = Course(max_attempts=3, rows=1)
    steps = [course.after(errors.ServerSlow("late")) for _ in range(3)]
    assert steps == [Step.SHIFT, Step.SHIFT, Step.RAISE]


@given(st.integers(0, 500), st.integers(0, 200))
def test_the_budget_is_a_fifth_of_what_runs_and_never_less_than_three(
    active: int, retrying: int
) -> None:
    """As Envoy's: 20 % with a floor of 3."""
    budget = RetryBudget(fraction=0.2, floor=3)
    budget.active, budget.retrying = active, retrying
    assert budget.allows() == (retrying < max(3, active // 5))
