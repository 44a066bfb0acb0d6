"""Give tests of whole jobs a Triton that serves the model `witness`."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from cli.stack.process import free_ports
from cli.stack.triton import LocalTriton, TritonPorts
from tests.chaos.jobs.witness import MODEL, MODELS, Witness
from tests.flows.workplace import careless_s3 as careless_s3


@pytest.fixture(scope="module")
def witness_of_all(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Witness]:
    """A journal; servers started from here on write to it."""
    with pytest.MonkeyPatch.context() as patch:
        witness = Witness(tmp_path_factory.mktemp("witness"))
        for name, value in witness.environment.items():
            patch.setenv(name, value)
        yield witness


@pytest.fixture
def witness(witness_of_all: Witness) -> Witness:
    """The journal and the orders; at first there are none."""
    witness_of_all.order()
    return witness_of_all


@pytest.fixture(scope="module")
def witnessed(
    witness_of_all: Witness, triton_env: Path, servers_dir: Path
) -> Iterator[LocalTriton]:
    """A Triton that may be killed, and starts again on the same ports."""
    ports = TritonPorts(*free_ports(3))
    with LocalTriton(
        MODELS, triton_env, models=[MODEL], ports=ports, state_dir=servers_dir, grace_s=0.5
    ) as server:
        yield server
