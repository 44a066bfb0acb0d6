"""Shadows' answers beside those that callers got."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

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
    told = [floats("y", 1.0, 2.0, 3.0, 4.0, columns=2)]
    shadow = [floats("y", 1.0005, 2.0, 3.0, 4.5, columns=2)]
    assert compare(told, shadow) == Comparison(rows=2, agreed=1, difference=0.5)


def test_a_row_agrees_in_every_output() -> None:
    """Texts must be the same; one output that differs is enough."""
    told = [floats("y", 1.0, 2.0), texts(b"late", b"early")]
    shadow = [floats("y", 1.0, 2.0), texts(b"late", b"late")]
    assert compare(told, shadow) == Comparison(rows=2, agreed=1, difference=0.0)


def test_not_a_number_agrees_with_itself() -> None:
    """Two versions that both cannot say agree."""
    nan = float("nan")
    assert compare([floats("y", nan)], [floats("y", nan)]) == Comparison(1, 1, 0.0)
    assert compare([floats("y", nan)], [floats("y", 1.0)]) == Comparison(1, 0, 0.0)


def test_infinities_agree_with_themselves() -> None:
    """Nothing is far from itself."""
    inf = float("inf")
    assert compare([floats("y", inf, -inf)], [floats("y", inf, -inf)]) == Comparison(2, 2, 0.0)
    assert compare([floats("y", inf)], [floats("y", -inf)]) == Comparison(1, 0, inf)


@pytest.mark.parametrize(
    ("shadow", "why"),
    [
        (floats("z", 1.0, 2.0), "the outputs are y, those of the shadow z"),
        (floats("y", 1.0, 2.0, columns=2), "output 'y' differs in shape: [2, 1], then [1, 2]"),
        (RawTensor("y", "INT32", (2, 1), bytes(8)), "output 'y' differs in datatype: FP32"),
        (RawTensor("y", "FP32", (2, 1), bytes(7)), "output 'y' says shape [2, 1] of FP32 but"),
    ],
)
def test_what_has_another_form_agrees_nowhere(shadow: RawTensor, why: str) -> None:
    """Another output, shape or datatype is no answer to the same question, and it says so."""
    found = compare([floats("y", 1.0, 2.0)], [shadow])
    assert (found.rows, found.agreed, found.difference) == (2, 0, float("inf"))
    assert found.differs.startswith(why)


@pytest.mark.parametrize("shape", [(3, 1), (3,), ()])
def test_outputs_whose_first_dimension_is_not_the_rows_are_compared_as_one(
    shape: tuple[int, ...],
) -> None:
    """A model may give a number for each row beside one for all: the answer agrees or not."""
    whole = RawTensor("all", "FP32", shape, np.ones(shape, np.float32).tobytes())
    other = RawTensor("all", "FP32", shape, np.zeros(shape, np.float32).tobytes())
    told = [floats("y", 1.0, 2.0), whole]
    assert compare(told, told) == Comparison(1, 1, 0.0)
    assert compare(told, [floats("y", 1.0, 2.0), other]) == Comparison(1, 0, 1.0)


def test_answers_without_rows_agree() -> None:
    """Nothing was asked."""
    empty = RawTensor("y", "FP32", (0, 2), b"")
    assert compare([empty], [empty]) == Comparison(0, 0, 0.0)


@settings(max_examples=40)
@given(data=st.data())
def test_no_pair_of_answers_is_a_fault(data: st.DataObject) -> None:
    """Whatever two servers say."""
    tensors = st.builds(
        RawTensor,
        st.sampled_from(["y", "z"]),
        st.sampled_from(["FP32", "INT64", "BOOL", "BYTES", "BF16", "FP16", "no such"]),
        st.lists(st.integers(0, 3), max_size=3).map(tuple),
        st.binary(max_size=40) | st.integers(0, 20).map(bytes),
    )
    told, shadow = data.draw(st.lists(tensors)), data.draw(st.lists(tensors))
    found = compare(told, shadow)
    assert 0 <= found.agreed <= found.rows
