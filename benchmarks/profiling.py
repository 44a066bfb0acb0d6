"""Say in which of our functions a job spends its time, from py-spy's samples."""

import tempfile
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from benchmarks.catalog import OURS, cases
from benchmarks.running import Runner

_OWN = ("flows/", "inference/", "registry/", "telemetry/")
_RATE = 200
"""Samples a second: a few hundred for each function that matters."""
_SHOWN = 16


@dataclass(frozen=True, slots=True)
class Share:
    """A function of ours, with what it calls of others."""

    function: str
    """`name (file)`, or that none of ours was on the stack."""
    samples: int
    """Samples in which it was the innermost of ours."""
    share: float
    """Of all samples, each of which is a thread that was busy."""


def profile(runner: Runner, dataset: Path) -> list[Share]:
    """Score the dataset once under py-spy; raises `CaseFailed`."""
    program = runner.peers_python.parent / "py-spy"
    with tempfile.TemporaryDirectory(dir=dataset.parent) as folder:
        raw = Path(folder) / "samples"
        options = ["--format", "raw", "--rate", str(_RATE), "--output", str(raw), "--nonblocking"]
        watched = replace(runner, wrapper=(str(program), "record", *options, "--"))
        watched.run(cases()[OURS], str(dataset), f"{folder}/out", knobs={})
        return shares(raw.read_text().splitlines())


def shares(stacks: Iterable[str]) -> list[Share]:
    """Sum up lines of `outer;…;inner count` by the innermost function of ours, largest first.

    Importing is left out, as it is everywhere else.
    """
    counts: Counter[str] = Counter()
    for line in stacks:
        stack, _, count = line.rpartition(" ")
        if "_find_and_load" not in stack:
            counts[_innermost(stack.split(";"))] += int(count)
    total = counts.total()
    return [Share(name, count, count / total) for name, count in counts.most_common()]


def _innermost(frames: list[str]) -> str:
    """Return `name (file)` of the innermost frame of ours, else of the innermost at all."""
    for frame in reversed(frames):
        name, _, place = frame.rpartition(" (")
        file = place.rstrip(")").partition(":")[0]
        for folder in _OWN:
            if folder in file:
                return f"{name} ({folder}{file.rpartition(folder)[2]})"
    return "outside of our functions"


def table(found: Sequence[Share]) -> list[str]:
    """Return the lines of a table of the functions that weigh most."""
    shown = [f"| `{share.function}` | {share.share:.1%} |" for share in found[:_SHOWN]]
    return ["| innermost function of ours | share of busy samples |", "|---|---:|", *shown]
