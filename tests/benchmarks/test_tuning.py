"""The peers' settings are remembered."""

from pathlib import Path

from benchmarks.tuning import Tried, Tuning, read, write
from tests.benchmarks.figures import DAFT, LOOP


def test_the_fastest_settings_are_used(tmp_path: Path) -> None:
    """What was tried comes back from the file; what was not is as the grid begins."""
    file = tmp_path / "tuning.json"
    assert read(file, cores=2) == Tuning(2, {})
    tried = [Tried({"batch_rows": 1}, 10.0), Tried({"batch_rows": 2}, 20.0)]
    write(Tuning(2, {}).with_tried("wide", "daft", tried), file)
    found = read(file, cores=64)
    assert found.cores == 2
    assert found.best("wide", DAFT) == {"batch_rows": 2}
    assert found.best("wide", LOOP) == {"batch_rows": 4_096}
    assert found.best("text", DAFT) == {"batch_rows": 1}


def test_a_case_that_is_tried_again_leaves_the_others() -> None:
    """New figures replace those of the same case and workload only."""
    one, two = Tried({"batch_rows": 1}, 10.0), Tried({"batch_rows": 2}, 20.0)
    tuning = Tuning(2, {}).with_tried("wide", "daft", [one]).with_tried("wide", "loop", [one])
    assert tuning.with_tried("wide", "daft", [two]).tried == {
        "wide": {"daft": (two,), "loop": (one,)}
    }
