"""Give a platform the demo's model and its flights."""

import os
import subprocess
import sys
from collections.abc import Callable, Mapping

from pydantic import SecretStr
from rich.console import Console

from cli.demo import ALIAS, MODEL, prepared
from cli.settings import LocalSettings
from cli.up import record
from cli.up.errors import StepFailed
from cli.up.folder import UpFolder
from cli.up.looking import demo_token
from examples.flights.dataset import Dataset
from examples.flights.train import FEATURES
from flows.shards.object_store import open_store
from flows.shards.settings import S3Settings

FLIGHTS = "s3://lake/flights/"
_NEXT = """
the demo's model is {model}, its flights are {flights}; in another terminal:
  eval "$(nightshift status --env)"
  prefect deployment run batch-inference/batch-inference --watch \\
    -p 'job={{"model": "{model}", "input": "{flights}", "output": "s3://lake/scores/", \
"max_quarantined_fraction": 0.05}}'"""


def load_flights(folder: UpFolder, local: LocalSettings, *, say: Callable[[str], None]) -> None:
    """Train, upload, register and load; what is there already stays. Raises `StepFailed`."""
    noted = record.read(folder.record)
    assert noted is not None
    token = demo_token(noted.environment["NIGHTSHIFT_API_URL"])
    environment = {**os.environ, **noted.environment, "NIGHTSHIFT_API_TOKEN": token or ""}
    dataset, trained = prepared(Console(), local.data_dir / "lake" / "flights", local)
    _upload(dataset, environment)
    columns = f"features={','.join(FEATURES)}"
    register = ["models", "register", MODEL, "--onnx", str(trained.onnx), "--columns", columns]
    _nightshift([*register, "--alias", ALIAS], environment, folder)
    _nightshift(["pools", "load", "default", f"{MODEL}@{ALIAS}"], environment, folder)
    say(_NEXT.format(model=f"{MODEL}@{ALIAS}", flights=FLIGHTS))


def _upload(dataset: Dataset, environment: Mapping[str, str]) -> None:
    """Put each month where no object is yet."""
    settings = S3Settings(
        endpoint_url=environment["NIGHTSHIFT_S3_ENDPOINT_URL"],
        region=environment["NIGHTSHIFT_S3_REGION"],
        access_key=environment["NIGHTSHIFT_S3_ACCESS_KEY"],
        secret_key=SecretStr(environment["NIGHTSHIFT_S3_SECRET_KEY"]),
    )
    store = open_store(FLIGHTS, settings)
    for file in sorted(dataset.root.rglob("*.parquet")):
        store.put_if_absent(file.relative_to(dataset.root).as_posix(), file)


def _nightshift(words: list[str], environment: Mapping[str, str], folder: UpFolder) -> None:
    """Do what a person would do, with the same command."""
    log = folder.log("demo")
    with log.open("ab") as written:
        done = subprocess.run(
            [sys.executable, "-m", "cli.main", *words],
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=written,
            stderr=subprocess.STDOUT,
            check=False,
        )
    if done.returncode:
        lines = log.read_text(errors="replace").strip().splitlines()
        raise StepFailed(f"nightshift {words[0]} {words[1]}", log, " ".join(lines[-1:]))
