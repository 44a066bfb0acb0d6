"""A small dataset and places to write to."""

from pathlib import Path

import pytest

from flows.shards.dataset import Dataset
from flows.shards.object_store import ObjectStore, open_store
from flows.shards.settings import S3Settings
from tests.contracts.memory_object_store import MemoryObjectStore
from tests.contracts.test_object_store import s3_settings
from tests.flows.shards.jobs import Job, dataset_at, write_lake


@pytest.fixture
def lake(tmp_path: Path) -> Path:
    """A hive-partitioned dataset: 3 months, 120, 0 and 130 rows, row groups of 50."""
    return write_lake(
        tmp_path / "lake",
        {"month=1/a.parquet": 120, "month=2/a.parquet": 0, "month=3/a.parquet": 130},
    )


@pytest.fixture
def dataset(lake: Path) -> Dataset:
    """The lake, opened."""
    return dataset_at(lake)


@pytest.fixture(params=["memory", "careless", "local", "s3"])
def output(tmp_path: Path, request: pytest.FixtureRequest) -> ObjectStore:
    """An empty output on every kind of store."""
    if request.param == "local":
        return open_store(str(tmp_path / "scores"), S3Settings())
    if request.param == "s3":
        endpoint = request.getfixturevalue("s3_endpoint")
        return open_store(f"{endpoint.uri}/scores", s3_settings(endpoint))
    return MemoryObjectStore(careless=request.param == "careless")


@pytest.fixture
def memory() -> MemoryObjectStore:
    """An empty output in memory."""
    return MemoryObjectStore()


@pytest.fixture
def scratch(tmp_path: Path) -> Path:
    """Where jobs build their parts."""
    return tmp_path / "scratch"


@pytest.fixture
def job(dataset: Dataset, memory: MemoryObjectStore, scratch: Path) -> Job:
    """A job on the lake that writes to memory."""
    return Job(dataset, memory, scratch)
