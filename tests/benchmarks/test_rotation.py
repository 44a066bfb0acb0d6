"""Cases take turns at being first; peers have the transport that suits them."""

from benchmarks.experiment import rotated, ways
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


def test_a_peer_is_tried_by_both_transports() -> None:
    """Unless tuning has chosen one; ours chooses by itself."""
    assert ways(LOOP, {"batch_rows": 2}) == [
        {"batch_rows": 2, "grpc": 0},
        {"batch_rows": 2, "grpc": 1},
    ]
    assert ways(LOOP, {"grpc": 1}) == [{"grpc": 1}]
    assert ways(OURS, {}) == [{}]
