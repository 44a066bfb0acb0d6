"""Cases take turns at being first."""

from benchmarks.experiment import rotated
from tests.benchmarks.figures import DAFT, LOOP, OURS


def test_each_repeat_begins_with_the_next_case() -> None:
    """After as many repeats as cases the first is first again."""
    assert [rotated([OURS, LOOP, DAFT], turn) for turn in range(4)] == [
        [OURS, LOOP, DAFT],
        [LOOP, DAFT, OURS],
        [DAFT, OURS, LOOP],
        [OURS, LOOP, DAFT],
    ]
    assert rotated([], 3) == []
