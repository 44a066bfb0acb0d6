"""Check how values are shown to people."""

import pyarrow as pa
import pytest

from flows.shards.column_types import in_words

NANOSECOND = pa.scalar(1_152_921_504_606_846_977, pa.timestamp("ns"))
LATE = 2**60
BEYOND = f"<value out of range: {LATE}>"


def at(kind: pa.DataType, number: int) -> pa.Scalar:
    """The value of a temporal type that is stored as this number."""
    width = pa.int32() if kind.bit_width == 32 else pa.int64()
    return pa.array([number], width).view(kind)[0]


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (pa.scalar(1.5), "1.5"),
        (NANOSECOND, "2006-07-14 23:58:24.606846977"),
        (pa.array([[NANOSECOND.value]], pa.list_(pa.timestamp("ns")))[0], "606846977"),
        (pa.scalar({"a": 1}), "{'a': 1}"),
    ],
)
def test_any_value_can_be_shown(value: pa.Scalar, shown: str) -> None:
    """Also one that Python's datetimes cannot hold."""
    assert shown in in_words(value)


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (at(pa.timestamp("us"), LATE), BEYOND),
        (at(pa.timestamp("ms"), -(2**62)), f"<value out of range: {-(2**62)}>"),
        (at(pa.timestamp("s", "UTC"), LATE), BEYOND),
        (at(pa.time64("us"), LATE), BEYOND),
        (at(pa.date32(), 2**31 - 1), f"<value out of range: {2**31 - 1}>"),
        (at(pa.duration("s"), LATE), str(LATE)),
        (at(pa.timestamp("us", "Mars/Olympus"), 5), "1970-01-01 00:00:00.000005Z"),
        (pa.array([[LATE]], pa.list_(pa.timestamp("us")))[0], f"[{BEYOND}]"),
        (pa.array([LATE], pa.timestamp("us")).dictionary_encode()[0], BEYOND),
        (pa.array([b"\xff\xfe"]).view(pa.string())[0], '"\ufffd\ufffd"'),
    ],
    ids=lambda value: str(value.type) if isinstance(value, pa.Scalar) else "",
)
def test_what_python_cannot_hold_is_shown(value: pa.Scalar, shown: str) -> None:
    """A year after 9999, a time zone of nowhere, text that is none: Arrow's words for it."""
    assert in_words(value) == shown
