"""Servers for tests: each xdist worker has its own, on free ports."""

import os
import secrets
import signal
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import hypothesis
import pytest

from cli.stack.prefect_server import LocalPrefect
from cli.stack.s3 import make_bucket
from cli.stack.triton import LocalTriton
from tests.servers.s3 import S3Endpoint, local_s3

ROOT = Path(__file__).parents[1]
PREFECT_TEMPLATE = ROOT / ".nightshift" / "prefect" / "template"
MODELS = Path(__file__).parent / "models"

# The machine's load says nothing of the code; a failure prints how to cause it again.
hypothesis.settings.register_profile("nightshift", deadline=None, print_blob=True)
hypothesis.settings.load_profile("nightshift")

# A shell that runs the suite in the background has it ignore Ctrl-C, and its children with it.
signal.signal(signal.SIGINT, signal.default_int_handler)

pytest_plugins = ["tests.chaos.seeds", "tests.servers.databases"]

TritonFactory = Callable[..., LocalTriton]

# As they last: without the mark, seconds.
_LONGEST_FIRST = ("slow", "chaos", "prefect", "triton")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Have workers of xdist begin with the files that last, so that none is left to one alone."""
    if not hasattr(config, "workerinput"):
        return
    turns: dict[Path, int] = {}
    for item in items:
        marks = {mark.name for mark in item.iter_markers()}
        places = (place for place, name in enumerate(_LONGEST_FIRST) if name in marks)
        turn = next(places, len(_LONGEST_FIRST))
        turns[item.path] = min(turn, turns.get(item.path, turn))
    items.sort(key=lambda item: turns[item.path])


@pytest.fixture(scope="session")
def triton_env() -> Path:
    """The environment that carries Triton, as `make test` builds it."""
    return Path(os.environ.get("NIGHTSHIFT_TRITON_ENV", ROOT / ".nightshift" / "triton-env"))


@pytest.fixture(scope="session")
def servers_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Logs and state of the servers of this worker."""
    return tmp_path_factory.mktemp("servers")


@pytest.fixture(scope="session")
def triton(triton_env: Path, servers_dir: Path) -> Iterator[LocalTriton]:
    """A real Triton with every model of tests/models loaded; do not kill or unload."""
    models = sorted(config.parent.name for config in MODELS.glob("*/config.pbtxt"))
    with LocalTriton(MODELS, triton_env, models=models, state_dir=servers_dir) as server:
        yield server


@pytest.fixture
def triton_factory(triton_env: Path, servers_dir: Path) -> Iterator[TritonFactory]:
    """Start more Tritons that a test may kill, stop and start again.

    Call it with `models=[…]`, and any other argument of `LocalTriton`; the server is started.
    """
    with ExitStack() as running:

        def start(model_repository: Path = MODELS, **options: Any) -> LocalTriton:
            options.setdefault("state_dir", servers_dir)
            server = LocalTriton(model_repository, triton_env, **options)
            return running.enter_context(server)

        yield start


@pytest.fixture(scope="session")
def prefect_api(servers_dir: Path) -> Iterator[LocalPrefect]:
    """A real Prefect server, to which every flow and client of this worker goes."""
    with LocalPrefect(servers_dir / "prefect", template=PREFECT_TEMPLATE) as server:
        from prefect import settings

        overrides = {
            getattr(settings, name): value
            for name, value in server.client_environment().items()
            if name.startswith("PREFECT_")
        }
        with settings.temporary_settings(overrides):
            yield server


@pytest.fixture(scope="session")
def s3_server(servers_dir: Path) -> Iterator[str]:
    """URL of an S3 server that honours conditional writes."""
    with local_s3(servers_dir / "s3.log") as url:
        yield url


@pytest.fixture
def s3_endpoint(s3_server: str) -> S3Endpoint:
    """A fresh bucket on the S3 server."""
    endpoint = S3Endpoint(url=s3_server, bucket=f"test-{secrets.token_hex(8)}")
    make_bucket(endpoint.url, endpoint.bucket)
    return endpoint
