"""What one `up` notes, another command reads."""

from pathlib import Path

from cli.up import record
from cli.up.identity import Identity
from cli.up.record import Record, Running


def test_reads_what_was_written(tmp_path: Path) -> None:
    """Everything comes back; a later note replaces it; without one there is none."""
    file = tmp_path / "running.json"
    assert record.read(file) is None
    server = Running("S3", "http://127.0.0.1:9", 9, Identity(3, 4), "s3.log")
    worker = Running("worker 1", "", None, Identity(5, 6), "worker-1.log")
    first = Record(Identity(1, 2), ready=False, servers=(server,), environment={"A": "b"})
    first.write(file)
    assert record.read(file) == first
    second = Record(Identity(1, 2), ready=True, servers=(server, worker), environment={})
    second.write(file)
    assert record.read(file) == second
    assert list(tmp_path.iterdir()) == [file]
