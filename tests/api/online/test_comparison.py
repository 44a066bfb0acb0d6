"""Shadows' answers beside those that callers got."""

import numpy as np

from api.online.comparison import Comparison, compare
from inference.tensors import RawTensor


def floats(name: str, *values: float, columns: int = 1) -> RawTensor:
    """Return FP32 rows."""
    array = np.array(values, dtype=np.float32)
    return RawTensor(name, "FP32", (len(values) // columns, columns), array.tobytes())


def texts(*values: bytes) -> RawTensor:
    """Return BYTES rows."""
    content = b"".join(len(value).to_bytes(4, "little") + value for value in values)
    return RawTensor("label", "BYTES", (len(values),), content)


def test_numbers_may_differ_a_little() -> None:
    """A row agrees when all its numbers are within a thousandth."""
    given = [floats("y", 1.0, 2.0, 3.0, 4.0, columns=2)]
    shadow = [floats("y", 1.0005, 2.0, 3.0, 4.5, columns=2)]
    assert compare(given, shadow) == Comparison(rows=2, agreed=1, difference=0.5)


def test_a_row_agrees_in_every_output() -> None:
    """Texts must be the same; one output that differs is enough."""
    given = [floats("y", 1.0, 2.0), texts(b"late", b"early")]
    shadow = [floats("y", 1.0, 2.0), texts(b"late", b"late")]
    assert compare(given, shadow) == Comparison(rows=2, agreed=1, difference=0.0)


def test_not_a_number_agrees_with_itself() -> None:
    """Two versions that both cannot say agree."""
    nan = float("nan")
    assert compare([floats("y", nan)], [floats("y", nan)]) == Comparison(1, 1, 0.0)
    assert compare([floats("y", nan)], [floats("y", 1.0)]) == Comparison(1, 0, 0.0)


def test_what_has_another_form_agrees_nowhere() -> None:
    """Another output, shape or datatype is no answer to the same question."""
    given = [floats("y", 1.0, 2.0)]
    apart = Comparison(2, 0, float("inf"))
    assert compare(given, [floats("z", 1.0, 2.0)]) == apart
    assert compare(given, [floats("y", 1.0, 2.0, columns=2)]) == apart
    assert compare(given, [RawTensor("y", "INT32", (2, 1), bytes(8))]) == apart
