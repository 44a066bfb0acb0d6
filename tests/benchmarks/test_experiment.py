"""Cases are run in alternation on real servers."""

import pytest

from benchmarks.catalog import OURS, Case, cases
from benchmarks.checking import WrongScores
from benchmarks.experiment import Experiment

pytestmark = [pytest.mark.triton, pytest.mark.prefect, pytest.mark.slow]

WRONG = Case("wrong", "random scores", "benchmarks.cases.write_ceiling", "peer", False)


def test_right_scores_are_measured_and_wrong_ones_end_it(
    experiment: tuple[Experiment, list[str]],
) -> None:
    """Ours has figures; a case that writes other scores is told."""
    under_test, said = experiment
    case = cases()[OURS]
    outcome = under_test.compare([case], {case: {}}, 1)
    ((ours,),) = outcome.runs.values()
    assert ours.seconds > 0
    assert ours.cpu_s > 0
    assert ours.server_cpu_s >= 0
    # The clock stands outside of the flow's own.
    assert ours.seconds >= ours.notes["wall_s"]
    assert set(ours.notes["stages"]) > {"read", "write"}
    assert [line.split("  ")[1] for line in said] == ["not counted", "repeat 1/1"]
    with pytest.raises(WrongScores, match=r"random scores: .* scores in 00.parquet are not"):
        under_test.run(WRONG, {})
