"""A place where whole jobs run: a registry, a real Triton, a real Prefect, an output."""

import gc
import json
import os
import secrets
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.dataset as ds
import pytest
import s3fs

from cli.registration import Notes, register_served
from cli.stack.prefect_server import LocalPrefect
from cli.stack.s3 import make_bucket
from cli.stack.triton import LocalTriton
from inference.jobs import BatchJob
from inference.settings import InferenceSettings
from registry.catalog import Catalog
from registry.domain import ModelVersion
from registry.settings import RegistrySettings
from registry.store import open_store
from tests.flows.bench import numbers
from tests.servers.s3 import S3Endpoint, local_s3

MODEL = "doubling"
SLEEPS = -1000.0
HELD = -2_000_000.0
PLATFORM_MARKS = [
    pytest.mark.triton,
    pytest.mark.prefect,
    # Prefect leaves connections of its own clients to the garbage collector.
    pytest.mark.filterwarnings("ignore:unclosed <socket:ResourceWarning"),
    pytest.mark.filterwarnings(
        "ignore:Exception ignored in. <socket:pytest.PytestUnraisableExceptionWarning"
    ),
]
"""Marks of every test that uses a `workplace`."""


class Workplace:
    """Environment and datasets of the jobs of one test."""

    def __init__(self, folder: Path, set_variable: Callable[[str, str], None]) -> None:
        self.folder = folder
        self.root = str(folder)
        self._set = set_variable

    def serve(self, *urls: str) -> None:
        """Have jobs use these servers."""
        self._set("NIGHTSHIFT_TRITON_URLS", ",".join(urls))

    def configure(self, **variables: object) -> None:
        """Set `NIGHTSHIFT_…` variables."""
        for name, value in variables.items():
            self._set(f"NIGHTSHIFT_{name.upper()}", str(value))

    def register(self, served: str = "faulty", name: str = MODEL, **notes: Any) -> ModelVersion:
        """Register what the servers serve, with `champion` pointing to it."""
        store = open_store(RegistrySettings())
        try:
            catalog = Catalog(store)
            settings = InferenceSettings()
            version = register_served(
                catalog,
                name,
                model=served,
                version="1",
                urls=settings.triton_urls,
                notes=Notes(columns=notes, description="", by="ada"),
                settings=settings,
            )
            catalog.set_alias(name, "champion", version.version, by="ada")
            return version
        finally:
            store.close()

    def uri(self, name: str) -> str:
        """Address of a folder of this test."""
        return f"{self.root}/{name}"

    def job(self, *, source: str = "lake", output: str = "scores", **asked: Any) -> BatchJob:
        """Ask for the dataset to be scored."""
        asked.setdefault("model", f"{MODEL}@champion")
        return BatchJob(input=self.uri(source), output=self.uri(output), **asked)

    def upload(self, name: str = "lake") -> None:
        """Bring a dataset that was written locally to where jobs read it."""

    def read(self, output: str = "scores") -> pa.Table:
        """Read the output as any reader of a folder of Parquet files would, in order of `id`."""
        return ds.dataset(self.uri(output), format="parquet").to_table().sort_by("id")

    def keys(self, output: str = "scores") -> set[str]:
        """Every object of the output."""
        root = Path(self.uri(output))
        return {
            str(path.relative_to(root))
            for path in root.rglob("*")
            if path.is_file() and not path.relative_to(root).parts[0].startswith(".")
        }

    def is_published(self, output: str = "scores") -> bool:
        """Whether a reader may trust the output."""
        return bool(self.keys(output) & {"_manifest.json", "_SUCCESS"})

    def numbers(
        self,
        files: int = 3,
        *,
        rows: int = 100,
        pause_ms: float = 0,
        lake: str = "lake",
        last: float | None = None,
    ) -> dict[int, float]:
        """Write files of `id` and `x`; returns the score of each id.

        The server works for `pause_ms` on the first row of each file. `last` is the last row's `x`.
        """
        expected: dict[int, float] = {}
        for month in range(files):
            first = month * rows
            values = [float(first + k) for k in range(rows)]
            if pause_ms:
                values[0] = SLEEPS - pause_ms
            if last is not None and month == files - 1:
                values[-1] = last
            path = self.folder / lake / f"month={month + 1}" / "a.parquet"
            numbers(path, list(values), first_id=first)
            expected |= {first + k: 2 * value for k, value in enumerate(values)}
        self.upload(lake)
        return expected

    def scores(self, output: str = "scores") -> dict[int, float]:
        """Read the score of each id; fails when an id is there twice."""
        rows = self.read(output)
        ids = rows["id"].to_pylist()
        assert len(set(ids)) == len(ids), "a row was scored twice"
        return dict(zip(ids, rows["y"].to_pylist(), strict=True))


class S3Workplace(Workplace):
    """Datasets and outputs lie in a bucket."""

    def __init__(
        self, folder: Path, set_variable: Callable[[str, str], None], endpoint: S3Endpoint
    ) -> None:
        super().__init__(folder, set_variable)
        self.root = endpoint.uri
        self.configure(
            s3_endpoint_url=endpoint.url,
            s3_access_key=endpoint.access_key,
            s3_secret_key=endpoint.secret_key,
            s3_region=endpoint.region,
        )
        self._files = s3fs.S3FileSystem(
            key=endpoint.access_key,
            secret=endpoint.secret_key,
            endpoint_url=endpoint.url,
            client_kwargs={"region_name": endpoint.region},
            skip_instance_cache=True,
            use_listings_cache=False,
        )

    def upload(self, name: str = "lake") -> None:
        """Bring a dataset that was written locally to the bucket."""
        self._files.put(f"{self.folder}/{name}/", f"{self.root}/{name}/", recursive=True)

    def read(self, output: str = "scores") -> pa.Table:
        """Read the output through s3fs."""
        path = self.uri(output).removeprefix("s3://")
        dataset = ds.dataset(path, format="parquet", filesystem=self._files)
        return dataset.to_table().sort_by("id")

    def keys(self, output: str = "scores") -> set[str]:
        """Every object of the output."""
        root = self.uri(output).removeprefix("s3://")
        self._files.invalidate_cache()
        return {key.removeprefix(f"{root}/") for key in self._files.find(root)}


@contextmanager
def held() -> Iterator[float]:
    """Give a number at which `faulty` waits until the block ends: its job cannot end before."""
    number = secrets.randbelow(1_000_000) + 1
    file = Path(f"/tmp/held-by-a-test-{number}")
    file.touch()
    try:
        yield HELD - number
    finally:
        file.unlink()


def requests_of(triton: LocalTriton, model: str = "faulty") -> int:
    """Requests that a server has answered for a model."""
    with urllib.request.urlopen(f"{triton.http_url}/v2/models/{model}/stats") as answer:
        (stats,) = json.load(answer)["model_stats"]
    return int(stats["inference_stats"]["success"]["count"])


@pytest.fixture
def careless_s3(tmp_path: Path) -> Iterator[S3Endpoint]:
    """A bucket on an S3 server that ignores conditional writes."""
    with local_s3(tmp_path / "careless.log", careless=True) as url:
        make_bucket(url, "careless")
        yield S3Endpoint(url, "careless")


@pytest.fixture(scope="module")
def prefect_leftovers() -> Iterator[None]:
    """Find what Prefect left while the marks say that it is expected."""
    yield
    gc.collect()


@pytest.fixture(params=["local"])
def workplace(
    request: pytest.FixtureRequest,
    tmp_path: Path,
    triton: LocalTriton,
    prefect_api: LocalPrefect,
    prefect_leftovers: None,
    monkeypatch: pytest.MonkeyPatch,
) -> Workplace:
    """A place with the model `doubling@champion`, and small shards.

    The parameter says where datasets and outputs lie: `local`, `s3`, or `careless`.
    """
    for name in [name for name in os.environ if name.startswith("NIGHTSHIFT_")]:
        monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)
    if request.param != "local":
        name = "careless_s3" if request.param == "careless" else "s3_endpoint"
        endpoint = request.getfixturevalue(name)
        place: Workplace = S3Workplace(tmp_path, monkeypatch.setenv, endpoint)
    else:
        place = Workplace(tmp_path, monkeypatch.setenv)
    place.serve(triton.grpc_url)
    place.configure(
        database_url=f"sqlite:///{tmp_path / 'registry.db'}",
        shard_rows=50,
        microbatch_max_rows=16,
        shards_in_flight=2,
        task_retry_delays_s="[0.2,0.4]",
        breaker_open_s=0.2,
        probe_interval_s=0.2,
    )
    place.register()
    return place
