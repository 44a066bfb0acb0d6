"""Run what a job on workers needs: Prefect with the deployments, Triton, workers."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from cli.registration import Notes, register_served
from cli.settings import LocalSettings
from cli.stack.prefect_server import LocalPrefect
from cli.stack.process import GuardedProcess
from cli.stack.triton import LocalTriton
from inference.jobs import BatchJob
from inference.settings import InferenceSettings
from registry.catalog import Catalog
from registry.settings import RegistrySettings
from registry.store import open_store

ROOT = Path(__file__).parents[2]
MODEL = "sleep"
_MODELS = ROOT / "benchmarks" / "models"
_PREFECT = str(Path(sys.executable).with_name("prefect"))
_POOL = "nightshift"


@dataclass(frozen=True, slots=True)
class Site:
    """Servers, and the variables by which workers and jobs find them."""

    folder: Path
    """Where datasets, outputs and logs lie."""
    prefect: LocalPrefect
    """The server whose health is measured."""
    environment: Mapping[str, str]
    """Of workers and jobs."""

    def dataset(self, name: str, *, shards: int, rows: int, shard_s: float) -> Path:
        """Write one file with a row group for each shard, which takes the model `shard_s`."""
        path = self.folder / f"{name}.parquet"
        values = np.full(shards * rows, shard_s / rows, np.float32)
        table = pa.table({"id": np.arange(shards * rows), "x": values})
        pq.write_table(table, path, row_group_size=rows)
        return path

    def job(self, dataset: Path, output: str, **settings: object) -> dict[str, float]:
        """Run a job with `NIGHTSHIFT_…` settings of its own; returns its moments."""
        asked = BatchJob(model=f"{MODEL}@1", input=str(dataset), output=str(self.folder / output))
        own = {f"NIGHTSHIFT_{name.upper()}": str(value) for name, value in settings.items()}
        done = subprocess.run(
            [sys.executable, "-m", "benchmarks.scale.job", asked.model_dump_json()],
            cwd=ROOT,
            env={**self.environment, **own, "NIGHTSHIFT_SCORE_ON": "workers"},
            stdout=subprocess.PIPE,
            text=True,
            check=True,
        )
        told: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
        return told

    @contextmanager
    def workers(self, count: int) -> Iterator[None]:
        """Have so many workers, of one slice at a time each."""
        with ExitStack() as stack:
            for number in range(count):
                worker = GuardedProcess(
                    f"worker {number}",
                    [_PREFECT, "worker", "start", "--pool", _POOL, "--limit", "1"],
                    log=self.folder / f"worker-{count}-{number}.log",
                    env=self.environment,
                    grace_s=10.0,
                )
                stack.enter_context(worker)
            yield


@contextmanager
def open_site(folder: Path, local: LocalSettings, **settings: object) -> Iterator[Site]:
    """Start the servers for the length of the block; `settings` are those of slices' runs."""
    database = f"sqlite:///{folder / 'registry.db'}"
    with (
        LocalPrefect(folder / "prefect", template=local.prefect_template_dir) as prefect,
        LocalTriton(_MODELS, local.triton_env_dir, models=[MODEL], state_dir=folder) as triton,
    ):
        _register(database, triton.grpc_url)
        environment = {
            **{name: value for name, value in os.environ.items() if "NIGHTSHIFT_" not in name},
            **prefect.client_environment(),
            "PYTHONPATH": str(ROOT),
            "PREFECT_WORKER_QUERY_SECONDS": "2",
            "PREFECT_LOGGING_LEVEL": "WARNING",
            "NIGHTSHIFT_DATABASE_URL": database,
            "NIGHTSHIFT_TRITON_URLS": triton.grpc_url,
            **{f"NIGHTSHIFT_{name.upper()}": str(value) for name, value in settings.items()},
        }
        for words in (
            ("work-pool", "create", _POOL, "--type", "process"),
            ("--no-prompt", "deploy", "--all"),
        ):
            subprocess.run(
                [_PREFECT, *words], cwd=ROOT, env=environment, check=True, stdout=subprocess.DEVNULL
            )
        yield Site(folder, prefect, environment)


def _register(database: str, url: str) -> None:
    store = open_store(RegistrySettings(database_url=database))
    try:
        register_served(
            Catalog(store),
            MODEL,
            model=MODEL,
            version="1",
            urls=[url],
            notes=Notes({"x": ("x",)}, "sleeps", "the benchmark"),
            settings=InferenceSettings(),
        )
    finally:
        store.close()
