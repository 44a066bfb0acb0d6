"""Profile the output columns of a job, shard by shard."""

import math
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pyarrow as pa

from flows.histogram import Histogram, in_pieces
from flows.shards.mapping import Mapping as ColumnMapping

TOP_VALUES = 64
"""Different values of a BYTES output that are counted: enough for every label set that a person
would look at."""
_SHOWN_CHARACTERS = 60
"""Longer values are counted by their beginning."""


@dataclass(frozen=True, slots=True)
class NumberProfile:
    """What the numbers of one output column are like."""

    count: int = 0
    """Finite numbers."""
    nan: int = 0
    """Values that are not a number."""
    infinite: int = 0
    """Values that are infinite."""
    min: float | None = None
    """Smallest finite number; None without any."""
    max: float | None = None
    """Largest finite number; None without any."""
    mean: float = 0.0
    """Of the finite numbers; 0 without any."""
    squares: float = 0.0
    """Sum of the squared distances from the mean."""
    histogram: Histogram = field(default_factory=Histogram)
    """Of the finite numbers."""
    whole: bool = False
    """Whether they are integers or truth values."""

    @property
    def std(self) -> float:
        """Standard deviation of the finite numbers."""
        return math.sqrt(self.squares / self.count) if self.count else 0.0

    @classmethod
    def of(cls, values: np.ndarray) -> "NumberProfile":
        """Profile numbers or truth values, of any shape."""
        whole = values.dtype.kind != "f"
        flat = values.reshape(-1)
        finite = flat if whole else _only_finite(flat)
        nan = 0 if finite is flat else int(np.isnan(flat).sum())
        infinite = len(flat) - len(finite) - nan
        histogram = Histogram.of(finite, finest=0) if whole else Histogram.of(finite)
        if not len(finite):
            return cls(nan=nan, infinite=infinite, histogram=histogram, whole=whole)
        with np.errstate(over="ignore", invalid="ignore"):
            mean = sum(float(wide.sum()) for wide in in_pieces(finite)) / len(finite)
            squares = sum(float(np.square(wide - mean).sum()) for wide in in_pieces(finite))
        return cls(
            count=len(finite),
            nan=nan,
            infinite=infinite,
            min=float(finite.min()),
            max=float(finite.max()),
            mean=_finite(mean),
            squares=_finite(squares),
            histogram=histogram,
            whole=whole,
        )

    def __add__(self, other: "NumberProfile") -> "NumberProfile":
        """Return the profile of both (Chan, Golub, LeVeque 1979 for mean and squares)."""
        count = self.count + other.count
        share = other.count / count if count else 0.0
        apart = other.mean - self.mean
        return NumberProfile(
            count=count,
            nan=self.nan + other.nan,
            infinite=self.infinite + other.infinite,
            min=min((each for each in (self.min, other.min) if each is not None), default=None),
            max=max((each for each in (self.max, other.max) if each is not None), default=None),
            mean=_finite(self.mean + apart * share),
            squares=_finite(self.squares + other.squares + apart * apart * self.count * share),
            histogram=self.histogram + other.histogram,
            whole=self.whole or other.whole,
        )

    def to_json(self) -> dict[str, Any]:
        """Return it as JSON values."""
        return {
            "kind": "numbers",
            "count": self.count,
            "nan": self.nan,
            "infinite": self.infinite,
            "min": self.min,
            "max": self.max,
            "mean": self.mean,
            "squares": self.squares,
            "histogram": self.histogram.to_json(),
            "whole": self.whole,
        }

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> "NumberProfile":
        """Read what `to_json` returned."""
        numbers = {name: value[name] for name in ("min", "max", "mean", "squares")}
        counts = {name: int(value[name]) for name in ("count", "nan", "infinite")}
        histogram = Histogram.from_json(value["histogram"])
        return cls(**counts, **numbers, histogram=histogram, whole=bool(value["whole"]))


@dataclass(frozen=True, slots=True)
class BytesProfile:
    """What the values of one BYTES output column are like."""

    lengths: NumberProfile = field(default_factory=NumberProfile)
    """Of the values, in bytes."""
    top: tuple[tuple[str, int], ...] = ()
    """Values with how often they were counted, most frequent first."""
    uncounted: int = 0
    """Most times that a value may have come beside those counted; 0 when `top` is all there is."""

    @classmethod
    def of(cls, values: Iterable[bytes | str]) -> "BytesProfile":
        """Profile values, text or bytes."""
        raw = [value.encode() if isinstance(value, str) else value for value in values]
        lengths = np.fromiter((len(value) for value in raw), np.int64, len(raw))
        shown = {value: _shown(value) for value in set(raw)}
        counted = Counter(shown[value] for value in raw)
        return cls(NumberProfile.of(lengths), *_most(counted, 0))

    def __add__(self, other: "BytesProfile") -> "BytesProfile":
        """Return the profile of both (Agarwal et al. 2012, mergeable summaries)."""
        counted = Counter(dict(self.top))
        counted.update(dict(other.top))
        return BytesProfile(
            self.lengths + other.lengths, *_most(counted, self.uncounted + other.uncounted)
        )

    def to_json(self) -> dict[str, Any]:
        """Return it as JSON values."""
        return {
            "kind": "bytes",
            "lengths": self.lengths.to_json(),
            "top": [list(each) for each in self.top],
            "uncounted": self.uncounted,
        }

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> "BytesProfile":
        """Read what `to_json` returned."""
        top = tuple((str(shown), int(count)) for shown, count in value["top"])
        return cls(NumberProfile.from_json(value["lengths"]), top, int(value["uncounted"]))


Profile = NumberProfile | BytesProfile


class Profiles:
    """The profiles of a shard's output columns, while it is scored."""

    def __init__(self, profiles: dict[str, Profile]) -> None:
        self._profiles = profiles

    @classmethod
    def of(cls, mapping: ColumnMapping) -> "Profiles":
        """Begin with no rows."""
        return cls(
            {
                output.column: BytesProfile()
                if output.spec.datatype == "BYTES"
                else NumberProfile()
                for output in mapping.outputs
            }
        )

    def add(self, columns: pa.RecordBatch) -> None:
        """Count the rows of a part; columns other than outputs are let be."""
        for name, profile in self._profiles.items():
            values = columns.column(name)
            while pa.types.is_nested(values.type):
                values = values.flatten()
            if isinstance(profile, BytesProfile):
                self._profiles[name] = profile + BytesProfile.of(values.to_pylist())
            else:
                numbers = values.to_numpy(zero_copy_only=False)
                self._profiles[name] = profile + NumberProfile.of(numbers)

    def to_json(self) -> dict[str, Any]:
        """Return them as JSON values, by column."""
        return {name: profile.to_json() for name, profile in self._profiles.items()}


def merge_profiles(shards: Iterable[Mapping[str, Any]]) -> dict[str, Profile]:
    """Return one profile for each output column from what the parts of a job say (`to_json`).

    The order of the parts makes no difference but for the last digits of mean and deviation.
    """
    merged: dict[str, Profile] = {}
    for shard in shards:
        for name, value in shard.items():
            merged[name] = _joined(merged.get(name), _from_json(value))
    return merged


def _joined(one: Profile | None, two: Profile) -> Profile:
    if isinstance(one, BytesProfile) and isinstance(two, BytesProfile):
        return one + two
    if isinstance(one, NumberProfile) and isinstance(two, NumberProfile):
        return one + two
    return two


def _from_json(value: Mapping[str, Any]) -> Profile:
    return (
        BytesProfile.from_json(value)
        if value["kind"] == "bytes"
        else NumberProfile.from_json(value)
    )


def _most(counted: Counter[str], uncounted: int) -> tuple[tuple[tuple[str, int], ...], int]:
    """Keep the most frequent values; what is taken from each is added to `uncounted`.

    Taking the count of the first value left out from all others keeps the bound: no value came
    more often than it is counted plus `uncounted`.
    """
    ordered = sorted(counted.items(), key=lambda each: (-each[1], each[0]))
    if len(ordered) > TOP_VALUES:
        least = ordered[TOP_VALUES][1]
        ordered = [(shown, count - least) for shown, count in ordered if count > least]
        uncounted += least
    return tuple(ordered), uncounted


def _shown(value: bytes) -> str:
    """Return a value as text, bytes that are not UTF-8 escaped, cut where it is long."""
    text = value[: 4 * _SHOWN_CHARACTERS].decode(errors="backslashreplace")
    return text if len(text) <= _SHOWN_CHARACTERS else f"{text[: _SHOWN_CHARACTERS - 1]}…"


def _only_finite(values: np.ndarray) -> np.ndarray:
    """Return the finite ones of `values`, which is `values` itself where all are."""
    with np.errstate(invalid="ignore"):
        if not len(values) or (np.isfinite(values.min()) and np.isfinite(values.max())):
            return values
    finite: np.ndarray = values[np.isfinite(values)]
    return finite


def _finite(value: float) -> float:
    """JSON has no infinity; a moment that overflows is told as the largest float."""
    return max(-_LARGEST, min(_LARGEST, value)) if not math.isnan(value) else 0.0


_LARGEST = float(np.finfo(np.float64).max)
