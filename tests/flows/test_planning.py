"""Check what is decided before the first row is scored."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from flows.planning import JobPlan, plan_ahead, plan_job
from flows.shards.column_errors import MappingError
from flows.shards.errors import (
    CorruptFooter,
    EmptyDataset,
    NoSuchInput,
    NotParquet,
    OutputInsideInput,
    OutputNotWritable,
    OutputOccupied,
    SchemaDrift,
    ShardError,
)
from flows.shards.settings import S3Settings
from inference.jobs import BatchJob
from registry.domain import ModelVersion
from tests.flows.bench import DOUBLING, FILES, NOW, model, numbers, spec, write

OTHER = model("faulty", [spec("x", "FP32", 1)], [spec("y", "FP32", 1)], version=2)


def planned(
    folder: Path, version: ModelVersion = DOUBLING, output: str = "out", **asked: Any
) -> JobPlan:
    """Plan a job on `folder`/lake."""
    job = BatchJob(
        model=str(version), input=str(folder / "lake"), output=str(folder / output), **asked
    )
    return plan_job(job, version, files=FILES, s3=S3Settings(), now=NOW)


def ahead(
    folder: Path, *, most_files: int = 2, output: str = "out", **asked: Any
) -> JobPlan | None:
    """Look at the job before there are servers."""
    job = BatchJob(
        model=str(DOUBLING), input=str(folder / "lake"), output=str(folder / output), **asked
    )
    return plan_ahead(job, DOUBLING, files=FILES, s3=S3Settings(), now=NOW, most_files=most_files)


Look = Callable[..., object]
LOOKS = pytest.mark.parametrize("look", [planned, ahead])


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Has a dataset of 130 and 20 rows."""
    numbers(tmp_path / "lake/month=1/a.parquet", [1.0] * 130)
    numbers(tmp_path / "lake/month=2/a.parquet", [2.0] * 20, first_id=130)
    return tmp_path


def test_a_plan(folder: Path) -> None:
    """Shards along row groups, everything still to do, the output claimed."""
    plan = planned(folder)
    assert [(shard.file.key, shard.row_start, shard.rows) for shard in plan.shards] == [
        ("month=1/a.parquet", 0, 100),
        ("month=1/a.parquet", 100, 30),
        ("month=2/a.parquet", 0, 20),
    ]
    assert (plan.rows, plan.left, plan.claim.published) == (150, plan.shards, None)
    visible = (folder / "out").rglob("[!.]*.json")
    files = [path.name for path in visible]
    assert files == [f"_job-{plan.fingerprint.short}.json"]
    assert planned(folder).fingerprint == plan.fingerprint


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"allow_non_finite": True}, "non-finite answers"),
        ({"rename": {"y": "score"}}, "output y"),
        ({"keep": "none"}, "kept columns"),
        ({"columns": {"x": ["id"]}, "casts": ["lossy"]}, "input x"),
        ({"version": OTHER}, "faulty@1"),
    ],
)
def test_another_job_is_a_conflict_that_says_what_differs(
    folder: Path, change: dict[str, Any], words: str
) -> None:
    """An unfinished job holds its output until it is finished or replaced."""
    planned(folder)
    with pytest.raises(OutputOccupied, match="an unfinished job begun") as caught:
        planned(folder, **change)
    assert words in str(caught.value)
    assert "--replace" in str(caught.value)
    assert planned(folder, replace=True, **change).left


def lake_of(folder: Path, kind: str) -> None:
    """Put the dataset's second file into the state that a test is about."""
    path = folder / "lake/month=2/a.parquet"
    if kind == "not parquet":
        path.write_bytes(b"id,x\n1,2\n")
    elif kind == "cut off":
        path.write_bytes(path.read_bytes()[:-20])
    elif kind == "bad footer":
        whole = path.read_bytes()
        path.write_bytes(whole[:-60] + b"\xff" * 40 + whole[-20:])
    elif kind == "other type":
        write(path, {"id": [1], "x": pa.array(["1"])})
    elif kind == "other columns":
        write(path, {"id": [1], "z": pa.array([1.0], pa.float32())})


@pytest.mark.parametrize(
    ("kind", "error", "words"),
    [
        ("not parquet", NotParquet, ["month=2/a.parquet", "move it out"]),
        ("cut off", CorruptFooter, ["month=2/a.parquet", "write the file again"]),
        ("bad footer", CorruptFooter, ["month=2/a.parquet", "write the file again"]),
        ("other type", SchemaDrift, ["column 'x'", "float in month=1/a", "string in month=2/a"]),
        ("other columns", SchemaDrift, ["column 'x'", "month=1/a.parquet", "month=2/a.parquet"]),
    ],
)
def test_files_that_cannot_be_scored(
    folder: Path, kind: str, error: type[ShardError], words: list[str]
) -> None:
    """Each is named with what to do, before anything is written."""
    lake_of(folder, kind)
    with pytest.raises(error) as caught:
        planned(folder)
    assert [word for word in words if word not in str(caught.value)] == []
    assert "\n" not in str(caught.value)
    assert not (folder / "out").exists()


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"columns": {"x": ["y"]}}, ["no column 'y'", "input x FP32[-1, 1]", "id, x, month"]),
        ({"columns": {"x": ["id", "x"]}}, ["input x FP32[-1, 1]", "2"]),
        ({"columns": {"z": ["id"]}}, ["input 'z'", "it has x", "correct the name"]),
        ({"keep": ["ids"]}, ["no column 'ids'", "close to it: id"]),
        ({"rename": {"y": "id"}}, ["'id'", "another name"]),
        ({"rename": {"score": "s"}}, ["output 'score'", "it has y"]),
    ],
)
@LOOKS
def test_columns_that_do_not_fit(
    folder: Path, look: Look, change: dict[str, Any], words: list[str]
) -> None:
    """The column and the input are named, with what there is."""
    with pytest.raises(MappingError) as caught:
        look(folder, **change)
    assert [word for word in words if word not in str(caught.value)] == []
    assert "\n" not in str(caught.value)
    assert not (folder / "out").exists()


@LOOKS
def test_no_dataset(tmp_path: Path, look: Look) -> None:
    """Nothing there, and nothing in there, are two things."""
    with pytest.raises(NoSuchInput, match=r"lake: check the path"):
        look(tmp_path)
    (tmp_path / "lake/_temporary").mkdir(parents=True)
    (tmp_path / "lake/_temporary/a.parquet").write_bytes(b"PAR1")
    with pytest.raises(EmptyDataset, match=r"lake holds no Parquet file"):
        look(tmp_path)


def test_a_look_ahead_is_the_plan(folder: Path) -> None:
    """Of a dataset with few files: all is found out, and the work continues from it."""
    early, plan = ahead(folder), planned(folder)
    assert early is not None
    assert (early.fingerprint, early.claim, early.left) == (plan.fingerprint, plan.claim, plan.left)
    lake_of(folder, "cut off")
    with pytest.raises(CorruptFooter, match="month=2"):
        ahead(folder)


def test_a_look_ahead_at_many_files_reads_few_footers(folder: Path) -> None:
    """It is quick on any dataset, and claims nothing; every path counts all the same."""
    assert ahead(folder, most_files=1) is None
    numbers(folder / "lake/month=may/a.parquet", [1.0])
    with pytest.raises(MappingError, match=r"'month' is string, .* --cast parse"):
        ahead(folder, columns={"x": ["month"]})
    assert list((folder / "out").rglob("_job*")) == []
    (folder / "file").write_text("in the way")
    with pytest.raises(OutputNotWritable, match="file is a file, not a folder"):
        ahead(folder, output="file")


def test_an_output_that_cannot_be_written(folder: Path) -> None:
    """A file where the folder or one above it would be stops even root."""
    (folder / "out").write_text("in the way")
    for output in ("out", "out/scores"):
        with pytest.raises(OutputNotWritable, match=rf"{folder}/out is a file, not a folder"):
            planned(folder, output=output)
    assert (folder / "out").read_text() == "in the way"


def test_an_output_that_holds_something_else(folder: Path) -> None:
    """Files of others are never touched, not even with `replace`."""
    other = numbers(folder / "out/a.parquet", [1.0])
    for replace in (False, True):
        with pytest.raises(OutputOccupied, match=r"a\.parquet, which no job wrote"):
            planned(folder, replace=replace)
    assert other.exists()


def test_an_output_inside_the_input(folder: Path) -> None:
    """The next run would read its own scores, unless the name hides them."""
    with pytest.raises(OutputInsideInput, match="lies inside the input"):
        planned(folder, output="lake/scores")
    assert planned(folder, output="lake/_scores").left
