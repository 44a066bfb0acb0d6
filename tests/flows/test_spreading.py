"""Check where the shards of a job are scored; tests/deployments has the workers."""

import pytest

from flows.launch import run_here
from tests.flows.workplace import PLATFORM_MARKS, Workplace

pytestmark = PLATFORM_MARKS


@pytest.mark.parametrize("score_on", ["auto", "here", "workers"])
def test_without_a_deployment_all_is_scored_here(workplace: Workplace, score_on: str) -> None:
    """However many slices there are, and whatever is wished for: nobody else could."""
    expected = workplace.numbers(files=3)
    workplace.configure(slice_rows=50, score_on=score_on, slice_deployment="score-slice/nowhere")
    report = run_here(workplace.job())
    assert (report.shards_scored, report.rows_ok) == (6, 300)
    assert workplace.scores() == expected


def test_an_unreadable_wish_is_refused(workplace: Workplace) -> None:
    """Before anything is scored."""
    workplace.numbers(files=1)
    workplace.configure(score_on="elsewhere")
    with pytest.raises(ValueError, match="score_on"):
        run_here(workplace.job())
    assert not workplace.is_published()
