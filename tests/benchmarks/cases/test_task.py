"""A case learns what to score."""

from pathlib import Path

from benchmarks.cases.task import Task
from tests.benchmarks.figures import small_workload


def test_a_task_travels_as_json(tmp_path: Path) -> None:
    """The case reads what the harness wrote; addresses have no scheme."""
    for name in ("1.parquet", "0.parquet", "_complete"):
        (tmp_path / name).touch()
    task = small_workload().task(
        str(tmp_path), "out", http_url="http://h:1", grpc_url="grpc://h:2", knobs={"batch_rows": 3}
    )
    assert Task.from_json(task.to_json()) == task
    assert (task.http_url, task.grpc_url, task.read_columns) == ("h:1", "h:2", ["id", "x"])
    assert [path.name for path in task.files] == ["0.parquet", "1.parquet"]
