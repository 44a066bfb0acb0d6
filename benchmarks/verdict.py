"""Set our rate against the peers' and the ceiling's."""

from collections.abc import Mapping
from dataclasses import dataclass

from benchmarks.catalog import OURS, READ, TRITON, Case


@dataclass(frozen=True, slots=True)
class Verdict:
    """How we stand in one workload."""

    fastest_peer: str
    """Name of the fastest of those that ran."""
    over_fastest_peer: float
    """Our rate divided by its."""
    ceiling: str
    """Name of the slower of reading and of Triton, each alone."""
    of_ceiling: float
    """Our rate divided by its."""
    of_triton: float
    """Our rate divided by that of Triton fed from memory."""


def verdict(rates: Mapping[Case, float]) -> Verdict | None:
    """Judge by the median rates; None when a ceiling, a peer or ours was not measured."""
    by_name = {case.name: case for case in rates}
    peers = [case for case in rates if case.kind == "peer"]
    if not peers or not {OURS, READ, TRITON} <= by_name.keys():
        return None
    ours = rates[by_name[OURS]]
    fastest = max(peers, key=lambda case: rates[case])
    ceiling = min((by_name[READ], by_name[TRITON]), key=lambda case: rates[case])
    return Verdict(
        fastest_peer=fastest.name,
        over_fastest_peer=ours / rates[fastest],
        ceiling=ceiling.name,
        of_ceiling=ours / rates[ceiling],
        of_triton=ours / rates[by_name[TRITON]],
    )
