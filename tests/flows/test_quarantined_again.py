"""Rows that could not be scored are scored by a model that can."""

import pytest

from flows.launch import run_here
from tests.flows.workplace import PLATFORM_MARKS, Workplace

pytestmark = PLATFORM_MARKS


@pytest.mark.parametrize("workplace", ["local", "s3"], indirect=True)
def test_the_quarantine_of_a_job_is_the_input_of_another(workplace: Workplace) -> None:
    """With where each row came from; all rows of the dataset are scored once in the two outputs."""
    expected = workplace.numbers(files=2, last=-1.0)
    first = run_here(workplace.job(max_quarantined_rows=1))
    assert (first.rows_ok, first.rows_quarantined) == (199, 1)
    workplace.register(served="limited")
    second = run_here(workplace.job(source="scores/_quarantine", output="again"))
    assert (second.rows_ok, second.rows_quarantined) == (1, 0)
    assert workplace.scores() | workplace.scores("again") == expected
    (row,) = workplace.read("again").to_pylist()
    assert (row["id"], row["_source_file"], row["_row"]) == (199, "month=2/a.parquet", 99)
