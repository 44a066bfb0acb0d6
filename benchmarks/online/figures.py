"""Say what was measured beside what it must reach."""

import statistics
from collections.abc import Sequence
from dataclasses import dataclass

from benchmarks.machine import machine


@dataclass(frozen=True, slots=True)
class Figure:
    """One measurement."""

    what: str
    """What was measured."""
    value: float
    """The median of the turns."""
    low: float
    """The least of them."""
    high: float
    """The most of them."""
    unit: str
    """Their unit."""
    bound: str = ""
    """What the value must reach; empty where it only explains another."""
    reached: bool = True
    """Whether it does."""


def figure(
    what: str,
    values: Sequence[float],
    unit: str,
    *,
    least: float | None = None,
    below: float | None = None,
) -> Figure:
    """Return the figure of these turns; `least` is reached by as much, `below` by less."""
    value = statistics.median(values)
    bound = f"≥ {least:g}" if least is not None else f"< {below:g}" if below is not None else ""
    reached = (least is None or value >= least) and (below is None or value < below)
    return Figure(what, value, min(values), max(values), unit, bound, reached)


def table(figures: Sequence[Figure], versions: str, command: str) -> list[str]:
    """Return the lines of a table in Markdown, with what it was measured on."""
    lines = ["| | measured | least to most | wanted |", "|---|---:|---:|---:|"]
    for each in figures:
        missed = "" if each.reached else ", **missed**"
        lines.append(
            f"| {each.what} | {_told(each.value)} {each.unit} "
            f"| {_told(each.low)} to {_told(each.high)} | {each.bound}{missed} |"
        )
    told = machine()
    lines += [
        "",
        f"{told['cores']} cores of {told['processor']}, {told['memory_gb']} GB, {told['system']}; "
        f"{versions}; `{command}`.",
    ]
    return lines


def _told(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.2f}"
