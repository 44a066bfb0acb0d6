"""Say what each floating-point datatype can hold."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True, slots=True)
class FloatRange:
    """The limits of one binary floating-point datatype."""

    bits: int
    """Length of the significand, the hidden bit included: integers to 2**bits are exact."""
    digits: int
    """Decimal digits that survive the way there and back (C's FLT_DIG)."""
    smallest: float
    """Smallest positive number of full precision."""
    largest: float
    """Largest finite number."""

    @property
    def overflow(self) -> float:
        """The least magnitude that rounds to infinity: half a step above the largest."""
        return self.largest * (1.0 + 1.0 / (2.0 ** (self.bits + 1) - 2.0))


def _ieee(dtype: type[np.floating]) -> FloatRange:
    limits = np.finfo(dtype)
    return FloatRange(
        limits.nmant + 1, int(limits.precision), float(limits.tiny), float(limits.max)
    )


FLOAT_RANGES: Mapping[str, FloatRange] = {
    "FP16": _ieee(np.float16),
    "FP32": _ieee(np.float32),
    "FP64": _ieee(np.float64),
    # The upper half of a float32: 8 bits of significand, the same exponents.
    "BF16": FloatRange(8, 2, 2.0**-126, 2.0**127 * (2.0 - 2.0**-7)),
}
"""By Open Inference Protocol datatype."""
