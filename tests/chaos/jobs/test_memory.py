"""Check that a client's memory does not grow with what it infers."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from cli.stack.triton import LocalTriton
from tests.chaos.jobs.witness import MODEL, Witness
from tests.chaos.seeds import Chaos
from tests.conftest import ROOT

pytestmark = [pytest.mark.triton, pytest.mark.chaos]

WARM_UP = 1000
MOST_GROWTH = 2**20
"""Bytes."""


def test_ten_thousand_inferences(witnessed: LocalTriton, witness: Witness, chaos: Chaos) -> None:
    """Less than a mebibyte after the warm-up, in a process that does nothing else."""
    count = chaos.count(10_000, sample=1000)
    words = [witnessed.grpc_url, MODEL, str(WARM_UP), str(count)]
    told = subprocess.run(
        [sys.executable, Path(__file__).with_name("memory_probe.py"), *words],
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        check=True,
    )
    before, after = map(int, told.stdout.split())
    chaos.tell(f"{count:,} inferences after {WARM_UP:,}: {(after - before) / 2**10:+.0f} KiB")
    assert after - before < MOST_GROWTH
