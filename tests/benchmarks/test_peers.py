"""Each peer's case scores right."""

import pytest

from benchmarks import machine
from benchmarks.catalog import Knobs, cases
from benchmarks.experiment import Experiment
from tests.benchmarks.conftest import PEERS_PYTHON

pytestmark = [
    pytest.mark.triton,
    pytest.mark.prefect,
    pytest.mark.slow,
    pytest.mark.skipif(not PEERS_PYTHON.exists(), reason="`make bench` builds the environment"),
    pytest.mark.timeout(900),  # Ray and Spark start for many seconds on two busy cores
]


@pytest.mark.parametrize(
    ("name", "more"),
    [("loop", {}), ("loop", {"grpc": 1}), ("daft", {}), ("ray", {}), ("spark", {}), ("triton", {})],
)
def test_a_case_of_the_peers_environment(
    experiment: tuple[Experiment, list[str]], name: str, more: Knobs
) -> None:
    """Every score is the model's, by either client; a ceiling tells how many rows it sent."""
    case = cases()[name]
    java = machine.java_version()
    if case.needs_java and (java is None or java < machine.JAVA):
        pytest.skip(f"Spark needs Java {machine.JAVA}, here is {java or 'none'}")
    run = experiment[0].run(case, {**case.grid[0], **more})
    assert run.seconds > 0
    assert (run.rows is None) == case.scores
