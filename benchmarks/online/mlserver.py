"""Run MLServer with a model equal to Triton's."""

import contextlib
import json
import os
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.request import urlopen

from cli.stack.process import LOOPBACK, free_ports

ENVIRONMENT = Path(__file__).parents[2] / ".nightshift" / "mlserver-env"
MODELS = Path(__file__).parents[1] / "models"
_START_S = 60.0


@contextlib.contextmanager
def running_mlserver(folder: Path, model: str) -> Iterator[int]:
    """Serve `model`; give MLServer's HTTP port."""
    http, grpc, metrics = free_ports(3)
    folder.mkdir()
    settings = {
        "host": LOOPBACK,
        "http_port": http,
        "grpc_port": grpc,
        "metrics_port": metrics,
        "debug": False,
        # In its own process: for so small a model the way to another one costs more.
        "parallel_workers": 0,
    }
    (folder / "settings.json").write_text(json.dumps(settings))
    served = {"name": model, "implementation": "peer_wide.Wide"}
    (folder / "model-settings.json").write_text(json.dumps(served))
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(
            [ENVIRONMENT / "bin" / "mlserver", "start", folder],
            env=os.environ | {"PYTHONPATH": str(MODELS)},
            cwd=folder,
            stdout=log,
            stderr=log,
        )
    try:
        _await(http, model, process, folder / "log")
        yield http
    finally:
        process.terminate()
        try:
            process.wait(timeout=_START_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _await(port: int, model: str, process: "subprocess.Popen[bytes]", log: Path) -> None:
    end = time.monotonic() + _START_S
    while True:
        try:
            urlopen(f"http://{LOOPBACK}:{port}/v2/models/{model}/ready").read()
            return
        except OSError as error:
            if process.poll() is not None or time.monotonic() > end:
                raise RuntimeError(f"MLServer does not start: {log.read_text()}") from error
        time.sleep(0.1)
