"""Count numbers in bins that histograms of other numbers can be added to."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

MAX_BINS = 1024
"""Most bins kept: a long tail still leaves some for the rest, and the JSON stays below 10 kB."""
_BITS = 40
"""Bins are never finer than the largest magnitude by so many powers of two, so that every index
is a small integer."""
_PIECE = 1 << 15
"""Numbers worked on at a time: a quarter of a megabyte. With the tens of megabytes of an answer at
once, most of the time went to fresh memory."""
_FINEST = -1060
"""Exponent for zeros alone; just above the smallest float64."""


@dataclass(frozen=True, slots=True)
class Histogram:
    """Counts in bins that are 2**exponent wide, aligned to zero.

    The exponent is the smallest that covers the numbers with `MAX_BINS` bins. A bin is exactly
    two bins of the next finer exponent, so histograms of different ranges add up without error:
    in whatever order, the sum is the histogram of all numbers.
    """

    exponent: int = _FINEST
    """Binary logarithm of a bin's width."""
    start: int = 0
    """Index of the first bin, which begins at `start * 2**exponent`."""
    counts: tuple[int, ...] = ()
    """Numbers in each bin; first and last are not 0; empty for no numbers."""

    @classmethod
    def of(cls, values: np.ndarray, *, finest: int = _FINEST) -> "Histogram":
        """Count finite numbers [n]; `finest` 0 keeps the bins of integers whole."""
        if not len(values):
            return cls(finest)
        low, high = float(values.min()), float(values.max())
        exponent = _exponent(low, high, finest)
        start = _index(low, exponent)
        counts = np.zeros(_index(high, exponent) - start + 1, np.int64)
        for wide in in_pieces(values):
            counts += np.bincount(_indexes(wide, exponent) - start, minlength=len(counts))
        return cls(exponent, start, tuple(counts.tolist()))

    def __add__(self, other: "Histogram") -> "Histogram":
        """Return the histogram of both."""
        exponent = max(self.exponent, other.exponent)
        if not self.counts or not other.counts:
            return (self if self.counts else other).coarsened(exponent)
        one, two = self.coarsened(exponent), other.coarsened(exponent)
        while max(one.stop, two.stop) - min(one.start, two.start) > MAX_BINS:
            one, two = one.coarsened(one.exponent + 1), two.coarsened(two.exponent + 1)
        start = min(one.start, two.start)
        counts = np.zeros(max(one.stop, two.stop) - start, np.int64)
        for each in (one, two):
            counts[each.start - start : each.stop - start] += each.counts
        return Histogram(one.exponent, start, tuple(counts.tolist()))

    @property
    def stop(self) -> int:
        """Index of the first bin not included."""
        return self.start + len(self.counts)

    @property
    def total(self) -> int:
        """Numbers counted."""
        return sum(self.counts)

    def edge(self, index: int) -> float:
        """Return where a bin begins; the last may end at infinity."""
        return _unscaled(index, self.exponent)

    def coarsened(self, exponent: int) -> "Histogram":
        """Return the same numbers in wider bins; `exponent` is not below its own."""
        steps = exponent - self.exponent
        if steps == 0 or not self.counts:
            return Histogram(exponent, self.start if self.counts else 0, self.counts)
        # Python's integers: a shift by more than 63 bits is fine.
        start = self.start >> steps
        counts = [0] * (((self.stop - 1) >> steps) - start + 1)
        for index, count in enumerate(self.counts, self.start):
            counts[(index >> steps) - start] += count
        return Histogram(exponent, start, tuple(counts))

    def quantile(self, share: float) -> float:
        """Return the number below which `share` of the numbers lie, right to a bin's width."""
        wanted = share * self.total
        below = 0
        for index, count in enumerate(self.counts, self.start):
            if count and below + count >= wanted:
                inside = (wanted - below) / count
                return _unscaled(index + inside, self.exponent)
            below += count
        return self.edge(self.stop)

    def to_json(self) -> dict[str, Any]:
        """Return it as JSON values."""
        return {"exponent": self.exponent, "start": self.start, "counts": list(self.counts)}

    @classmethod
    def from_json(cls, value: dict[str, Any]) -> "Histogram":
        """Read what `to_json` returned."""
        counts: Sequence[int] = value["counts"]
        return cls(int(value["exponent"]), int(value["start"]), tuple(counts))


def _exponent(low: float, high: float, finest: int) -> int:
    """Return the smallest exponent whose bins from `low` to `high` are at most `MAX_BINS`."""
    magnitude = max(abs(low), abs(high))
    exponent = max(finest, math.frexp(magnitude)[1] - _BITS if magnitude else _FINEST)
    while _index(high, exponent) - _index(low, exponent) >= MAX_BINS:
        exponent += 1
    return exponent


def _index(value: float, exponent: int) -> int:
    return math.floor(_scaled(value, exponent))


def in_pieces(values: np.ndarray) -> Iterator[np.ndarray]:
    """Yield numbers [n] as float64, in pieces whose intermediate results stay in a core's cache."""
    for start in range(0, len(values), _PIECE):
        yield values[start : start + _PIECE].astype(np.float64)


def _indexes(values: np.ndarray, exponent: int) -> np.ndarray:
    scaled = np.floor(np.ldexp(values, -exponent))
    if exponent > 0:
        # A negative number too small to be scaled down lies in the bin below zero all the same.
        scaled[(values < 0) & (scaled == 0)] = -1
    indexes: np.ndarray = scaled.astype(np.int64)
    return indexes


def _unscaled(value: float, exponent: int) -> float:
    try:
        return math.ldexp(value, exponent)
    except OverflowError:
        return math.copysign(math.inf, value)


def _scaled(value: float, exponent: int) -> float:
    scaled = math.ldexp(value, -exponent)
    return -0.5 if value < 0 and scaled == 0 else scaled
