"""Our rate beside the others'."""

from benchmarks.verdict import Verdict, verdict
from tests.benchmarks.figures import DAFT, LOOP, OURS, READ, TRITON

RATES = {OURS: 600.0, LOOP: 200.0, DAFT: 300.0, READ: 1_000.0, TRITON: 2_400.0}


def test_compares_with_the_fastest_peer_and_the_slower_ceiling() -> None:
    """The ceiling is the slower of reading and of Triton."""
    assert verdict(RATES) == Verdict(
        fastest_peer="daft", over_fastest_peer=2.0, ceiling="read", of_ceiling=0.6, of_triton=0.25
    )


def test_needs_ours_a_peer_and_both_ceilings() -> None:
    """A part of the cases gives no verdict."""
    for missing in (OURS, READ, TRITON):
        assert verdict({case: rate for case, rate in RATES.items() if case != missing}) is None
    assert verdict({case: RATES[case] for case in (OURS, READ, TRITON)}) is None
