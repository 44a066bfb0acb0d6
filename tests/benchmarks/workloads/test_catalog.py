"""Every workload is whole."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from benchmarks.workloads.catalog import workloads
from benchmarks.workloads.workload import Workload

ROWS = 100
# Its tables are the demo's, which tests/examples has; making its model takes seconds.
MADE_HERE = ("wide", "columns", "text", "embed")


@pytest.fixture(params=MADE_HERE)
def workload(request: pytest.FixtureRequest, tmp_path: Path) -> Workload:
    """One of the workloads that make their rows themselves."""
    return workloads(tmp_path)[request.param]


def test_the_workloads_are_those_of_the_page() -> None:
    """Each has a place for its table."""
    page = (Path(__file__).parents[3] / "benchmarks" / "README.md").read_text()
    names = list(workloads(Path()))
    assert names == ["wide", "columns", "flights", "text", "embed"]
    assert [name for name in names if f"<!-- begin {name} -->" not in page] == []


def test_rows_are_the_same_every_time(workload: Workload) -> None:
    """Eight files with ids from 0 up, and the columns that the input takes."""
    tables = list(workload.tables(ROWS))
    whole = pa.concat_tables(tables)
    assert whole["id"].to_pylist() == list(range(ROWS))
    assert tuple(whole.column_names) == ("id", *workload.columns)
    assert len(tables) == 8
    assert whole == pa.concat_tables(workload.tables(ROWS))


def test_the_oracle_answers_each_row(workload: Workload) -> None:
    """The answers have the model's shape and differ from row to row."""
    answers = workload.oracle(pa.concat_tables(workload.tables(ROWS)))
    assert answers.dtype == np.float32
    assert answers.shape == (ROWS, workload.output_width)
    assert len(np.unique(answers, axis=0)) == ROWS


def test_the_model_is_there_under_its_name(workload: Workload) -> None:
    """Its configuration names the workload's input and output."""
    model = workload.model()
    config = (model.repository / model.name / "config.pbtxt").read_text()
    for word in (model.name, workload.input, workload.output):
        assert f'"{word}"' in config


def test_columns_score_like_wide(tmp_path: Path) -> None:
    """The same features in another form have the same scores."""
    lists, plain = (workloads(tmp_path)[name] for name in ("wide", "columns"))
    scores = [one.oracle(pa.concat_tables(one.tables(ROWS))) for one in (lists, plain)]
    assert np.array_equal(scores[0], scores[1])
