"""Check how values are shown to people."""

import pyarrow as pa
import pytest

from flows.shards.column_types import in_words

NANOSECOND = pa.scalar(1_152_921_504_606_846_977, pa.timestamp("ns"))


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
