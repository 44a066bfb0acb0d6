"""Encoding columns as a model's inputs."""

import datetime as dt
from decimal import Decimal
from fractions import Fraction
from typing import Any, Literal

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from flows.shards.column_errors import MixedLengths
from flows.shards.encode import Encoded, encode
from flows.shards.float_ranges import FLOAT_RANGES
from inference.tensors import numpy_dtype
from tests.flows.shards.columns import mapping, signature, spec


def encoded(
    column: pa.Array, datatype: str, *row_shape: int, casts: tuple[str, ...] = ()
) -> Encoded:
    """Encode one column for an input of the same name."""
    batch = pa.record_batch({"x": column})
    compiled = mapping(signature(spec("x", datatype, *row_shape)), batch.schema, casts=casts)
    return encode(batch, compiled, partitions={})


def reasons(answer: Encoded) -> list[tuple[int, str, str]]:
    """The rejections as plain tuples."""
    return [(at_fault.row, at_fault.reason, at_fault.detail) for at_fault in answer.rejected]


def assert_lawful(answer: Encoded, rows: int) -> None:
    """Every row is accepted or rejected, never both, never neither."""
    assert len(answer.accepted) == rows
    assert [rejection.row for rejection in answer.rejected] == [
        row for row in range(rows) if not answer.accepted[row]
    ]
    for array in answer.inputs.values():
        assert len(array) == answer.rows == int(answer.accepted.sum())
        assert array.flags.c_contiguous


# Views


def test_a_fixed_size_list_without_nulls_is_a_view() -> None:
    """No byte is copied where the memory is a tensor already, even of a slice."""
    values = pa.array(np.arange(12, dtype=np.float32))
    column = pa.FixedSizeListArray.from_arrays(values, 3).slice(1)
    array = encoded(column, "FP32", 3).inputs["x"]
    assert np.shares_memory(array, values.to_numpy())
    assert array.tolist() == [[3.0, 4.0, 5.0], [6.0, 7.0, 8.0], [9.0, 10.0, 11.0]]


@pytest.mark.parametrize("make", [pa.list_, pa.large_list])
def test_lists_of_one_length_are_a_view(make: Any) -> None:
    """Their values lie behind each other as a tensor's do."""
    column = pa.array([[1, 2], [3, 4], [5, 6]], make(pa.int64()))
    array = encoded(column.slice(1), "INT64", 2).inputs["x"]
    assert np.shares_memory(array, column.values.to_numpy())
    assert array.tolist() == [[3, 4], [5, 6]]


def test_a_column_of_the_tensors_type_is_a_view() -> None:
    """Also when the row has a dimension of one."""
    column = pa.array([1.5, 2.5], pa.float16())
    array = encoded(column, "FP16", 1).inputs["x"]
    assert np.shares_memory(array, column.to_numpy())
    assert array.shape == (2, 1)


# Stacking


def test_columns_are_stacked_in_the_order_given() -> None:
    """Each converts by itself on its way into the tensor."""
    batch = pa.record_batch(
        {
            "a": pa.array([1, 2], pa.int16()),
            "b": pa.array([0.5, 1.5], pa.float32()),
            "c": pa.array([True, False]),
        }
    )
    compiled = mapping(
        signature(spec("x", "FP32", 4)), batch.schema, columns={"x": ["c", "a", "b", "a"]}
    )
    array = encode(batch, compiled, partitions={}).inputs["x"]
    assert array.dtype == np.float32
    assert array.tolist() == [[1.0, 1.0, 0.5, 1.0], [0.0, 2.0, 1.5, 2.0]]


def test_lists_stack_beside_single_values() -> None:
    """A varying list takes what the other columns leave."""
    batch = pa.record_batch({"a": pa.array([[1, 2], [3, 4, 5]]), "b": pa.array([9, 8])})
    compiled = mapping(signature(spec("x", "INT64", 3)), batch.schema, columns={"x": ["a", "b"]})
    answer = encode(batch, compiled, partitions={})
    assert answer.inputs["x"].tolist() == [[1, 2, 9]]
    assert reasons(answer) == [(1, "list of 3 values in a, 2 expected", "")]


def test_many_rows_are_stacked_block_by_block() -> None:
    """More rows than are laid in at a time."""
    rows = np.arange(2500, dtype=np.float32)
    batch = pa.record_batch({"a": rows, "b": rows * 2})
    compiled = mapping(signature(spec("x", "FP32", 2)), batch.schema, columns={"x": ["a", "b"]})
    array = encode(batch, compiled, partitions={}).inputs["x"]
    assert np.array_equal(array, np.stack([rows, rows * 2], axis=1))


def test_inputs_are_written_into_the_memory_that_is_lent() -> None:
    """Shared memory takes the accepted rows without another copy; BYTES cannot lie in it."""
    lent: list[np.ndarray] = []

    def allocate(_: str, shape: tuple[int, ...], dtype: np.dtype) -> np.ndarray:
        lent.append(np.full(shape, -1, dtype))
        return lent[-1]

    batch = pa.record_batch(
        {"x": pa.array([1.0, None, 3.0], pa.float32()), "t": pa.array(["a", "b", "c"])}
    )
    compiled = mapping(signature(spec("x", "FP32", 1), spec("t", "BYTES")), batch.schema)
    answer = encode(batch, compiled, partitions={}, allocate=allocate)
    (memory,) = lent
    assert answer.inputs["x"] is memory
    assert memory.tolist() == [[1.0], [3.0]]
    assert answer.inputs["t"].tolist() == [b"a", b"c"]


def test_partition_columns_are_constants() -> None:
    """Their value comes from the path; a null one rejects the file's rows."""
    batch = pa.record_batch({"hour": pa.array([1, 2], pa.int8())})
    compiled = mapping(
        signature(spec("x", "FP32", 2)),
        batch.schema,
        pa.schema([("month", pa.int64())]),
        columns={"x": ["month", "hour"]},
    )
    answer = encode(batch, compiled, partitions={"month": 7})
    assert answer.inputs["x"].tolist() == [[7.0, 1.0], [7.0, 2.0]]
    nothing = encode(batch, compiled, partitions={"month": None})
    assert reasons(nothing) == [(0, "null in month", ""), (1, "null in month", "")]
    assert nothing.inputs["x"].shape == (0, 2)


# Rows that cannot be scored


def test_each_row_is_rejected_for_its_first_fault() -> None:
    """Reasons name the column, so that they can be counted."""
    batch = pa.record_batch(
        {
            "f": pa.array([[1, 2], [1], None, [1, None], [3, 4]], pa.list_(pa.float32())),
            "id": pa.array([1, 2, 3, 4, 2**24 + 1]),
        }
    )
    compiled = mapping(signature(spec("f", "FP32", 2), spec("id", "FP32")), batch.schema)
    answer = encode(batch, compiled, partitions={})
    assert_lawful(answer, 5)
    assert reasons(answer) == [
        (1, "list of 1 values in f, 2 expected", ""),
        (2, "null in f", ""),
        (3, "null in f", ""),
        (4, "value not exact as FP32 in id", "16777217"),
    ]
    assert answer.inputs["f"].tolist() == [[1.0, 2.0]]
    assert answer.inputs["id"].tolist() == [1.0]


def test_nested_lists_are_checked_at_every_level() -> None:
    """A fault deep inside rejects the row that holds it."""
    rows = [
        [[1, 2], [3, 4]],
        [[1, 2]],
        [[1, 2], [3]],
        [[1, 2], None],
        [[1, None], [3, None]],
        [[5, 6], [7, 300]],
        [[5, 6], [7, 8]],
    ]
    answer = encoded(pa.array(rows, pa.list_(pa.list_(pa.int64()))), "UINT8", 2, 2)
    assert_lawful(answer, 7)
    assert answer.inputs["x"].tolist() == [rows[0], rows[6]]
    assert reasons(answer) == [
        (1, "list of 1 values in x, 2 expected", ""),
        (2, "list of 1 values in x, 2 expected", ""),
        (3, "null in x", ""),
        (4, "null in x", ""),
        (5, "value outside UINT8 in x", "300"),
    ]


def test_fixed_size_lists_with_nulls_lose_those_rows_alone() -> None:
    """Null lists take part in no view."""
    column = pa.array([[1, 2], None, [3, None], [5, 6]], pa.list_(pa.float32(), 2))
    answer = encoded(column, "FP32", 2)
    assert answer.inputs["x"].tolist() == [[1.0, 2.0], [5.0, 6.0]]
    assert [row for row, _, _ in reasons(answer)] == [1, 2]


def test_a_long_value_is_cut_in_the_detail() -> None:
    """Eighty characters are enough to recognise it."""
    answer = encoded(pa.array(["9" * 200]), "INT64", casts=("parse",))
    ((_, reason, detail),) = reasons(answer)
    assert reason == "text that is no INT64 in x"
    assert detail == "9" * 79 + "…"


def test_a_batch_without_rows_gives_inputs_without_rows() -> None:
    """An empty row group is fine."""
    batch = pa.record_batch(
        {
            "a": pa.array([], pa.int64()),
            "l": pa.array([], pa.list_(pa.float32())),
            "d": pa.array([], pa.decimal128(30, 2)),
            "s": pa.array([], pa.string()),
        }
    )
    compiled = mapping(
        signature(
            spec("a", "FP32"), spec("l", "FP32", -1), spec("d", "INT32"), spec("s", "INT8", 1)
        ),
        batch.schema,
        casts=["lossy", "parse"],
    )
    answer = encode(batch, compiled, partitions={})
    assert_lawful(answer, 0)
    assert {name: array.shape for name, array in answer.inputs.items()} == {
        "a": (0,),
        "l": (0, 1),
        "d": (0,),
        "s": (0, 1),
    }


def test_lists_of_different_lengths_have_to_be_split_first() -> None:
    """No row is lost silently for being unlike its neighbours."""
    column = pa.array([[1, 2], [3]], pa.list_(pa.int64()))
    with pytest.raises(MixedLengths, match="split_by_length"):
        encoded(column, "INT64", -1)


def test_lists_of_one_length_decide_an_open_dimension() -> None:
    """Nulls or empty lists are rejected, and do not decide."""
    column = pa.array([None, [1, 2, 3], [], [4, 5, 6]], pa.list_(pa.int64()))
    answer = encoded(column, "INT64", -1)
    assert answer.inputs["x"].tolist() == [[1, 2, 3], [4, 5, 6]]
    assert reasons(answer) == [
        (0, "null in x", ""),
        (2, "list of 0 values in x, 3 expected", ""),
    ]


# Types


@pytest.mark.parametrize(
    "kind",
    [
        pa.string(),
        pa.large_string(),
        pa.string_view(),
        pa.dictionary(pa.int8(), pa.string()),
        pa.binary(),
        pa.large_binary(),
        pa.binary_view(),
        pa.binary(2),
    ],
)
def test_text_or_binary_of_any_kind_gives_bytes(kind: pa.DataType) -> None:
    """Text as UTF-8, binary as it is; nulls are rejected, empty texts are not."""
    column = pa.array(["nn", None, "zz"], pa.string())
    if pa.types.is_dictionary(kind):
        column = column.dictionary_encode()
    elif pa.types.is_fixed_size_binary(kind):
        column = pa.array([b"nn", None, b"zz"], kind)
    else:
        column = column.cast(kind)
    answer = encoded(column, "BYTES", 1)
    assert answer.inputs["x"].tolist() == [[b"nn"], [b"zz"]]
    assert {type(value) for value in answer.inputs["x"].ravel()} == {bytes}


def test_lists_of_text_give_bytes() -> None:
    """As many texts a row as the input takes."""
    column = pa.array([["a", "é"], ["", "d"]], pa.list_(pa.string()))
    assert encoded(column, "BYTES", 2).inputs["x"].tolist() == [[b"a", b"\xc3\xa9"], [b"", b"d"]]


def test_extension_types_are_read_through() -> None:
    """A fixed-shape tensor column is what it stores."""
    kind = pa.fixed_shape_tensor(pa.float32(), [2, 2])
    storage = pa.array([[1, 2, 3, 4], [5, 6, 7, 8]], pa.list_(pa.float32(), 4))
    column = pa.ExtensionArray.from_storage(kind, storage)
    expected = [[[1.0, 2.0], [3.0, 4.0]], [[5.0, 6.0], [7.0, 8.0]]]
    assert encoded(column, "FP32", 2, 2).inputs["x"].tolist() == expected


@pytest.mark.parametrize(
    ("column", "ticks"),
    [
        (pa.array([dt.date(1970, 1, 3), dt.date(1969, 12, 31)], pa.date32()), [2, -1]),
        (pa.array([dt.date(1970, 1, 3), dt.date(1969, 12, 31)], pa.date64()), [2, -1]),
        (pa.array([7, -7], pa.timestamp("ms", "Europe/Paris")), [7, -7]),
        (pa.array([7, -7], pa.timestamp("ns")), [7, -7]),
        (pa.array([7, 8], pa.time32("s")), [7, 8]),
        (pa.array([7, 8], pa.time64("us")), [7, 8]),
        (pa.array([7, -8], pa.duration("us")), [7, -8]),
    ],
)
def test_dates_or_times_are_numbers_when_asked(column: pa.Array, ticks: list[int]) -> None:
    """Days since 1970 for dates, ticks of the column's own unit (in UTC) for the rest."""
    answer = encoded(column, "INT64", casts=("temporal",))
    assert answer.inputs["x"].tolist() == ticks
    assert answer.inputs["x"].dtype == np.int64
    if column.type.bit_width == 64:
        assert encoded(column, "FP32", casts=("temporal",)).inputs["x"].tolist() == ticks


def test_timestamps_are_value_checked_like_the_integers_they_are() -> None:
    """A time in nanoseconds is no FP32."""
    column = pa.array([2**60 + 1], pa.timestamp("ns", "UTC"))
    ((_, reason, detail),) = reasons(encoded(column, "FP32", casts=("temporal",)))
    assert reason == "value not exact as FP32 in x"
    assert detail.startswith("2006-07-14")


@pytest.mark.parametrize("datatype", ["BOOL", "UINT8"])
def test_a_time_before_all_years_is_set_aside_in_words(datatype: str) -> None:
    """The row's detail is Arrow's, where Python has no such year."""
    column = pa.array([-(2**62), 1], pa.timestamp("ms"))
    answer = encoded(column, datatype, casts=("temporal",))
    assert reasons(answer) == [
        (0, f"value outside {datatype} in x", f"<value out of range: {-(2**62)}>")
    ]
    assert answer.inputs["x"].tolist() == [1]


@pytest.mark.parametrize(
    ("text", "datatype", "number"),
    [
        ("12", "INT8", 12),
        (" -12 ", "INT8", -12),
        ("+7", "UINT8", 7),
        ("007", "INT64", 7),
        ("9223372036854775807", "INT64", 2**63 - 1),
        ("18446744073709551615", "UINT64", 2**64 - 1),
        ("128", "INT8", None),
        ("-1", "UINT64", None),
        ("9223372036854775808", "INT64", None),
        ("0x1A", "INT64", None),
        ("1.0", "INT64", None),
        ("1_000", "INT64", None),
        ("", "INT64", None),
        ("1.5", "FP32", 1.5),
        (".5", "FP64", 0.5),
        ("5.", "FP64", 5.0),
        ("1e3", "FP16", 1000.0),
        ("0.1", "FP32", float(np.float32("0.1"))),
        ("-Inf", "FP32", float("-inf")),
        ("infinity", "FP64", float("inf")),
        ("1e999", "FP64", None),
        ("1e39", "FP32", None),
        ("70000", "FP16", None),
        ("1,5", "FP32", None),
        ("one", "FP32", None),
        ("TRUE", "BOOL", True),
        ("0", "BOOL", False),
        ("yes", "BOOL", None),
    ],
)
def test_text_is_parsed_when_asked(text: str, datatype: str, number: float | None) -> None:
    """Text that is no such number is told with itself; its neighbours are scored."""
    answer = encoded(pa.array(["1", text, None, "0"]), datatype, casts=("parse",))
    expected = [1, 0] if number is None else [1, number, 0]
    assert answer.inputs["x"].tolist() == expected
    if number is None:
        assert reasons(answer)[0] == (1, f"text that is no {datatype} in x", text)


def test_not_a_number_is_a_number_that_text_can_say() -> None:
    """`nan` is a float's own word."""
    assert np.isnan(encoded(pa.array(["NaN"]), "FP32", casts=("parse",)).inputs["x"]).all()


def test_bfloat16_inputs_are_float32_within_bfloat16s_range() -> None:
    """The client rounds them on the way to the server."""
    most = FLOAT_RANGES["BF16"].largest
    answer = encoded(pa.array([1.5, most, 3.4e38], pa.float64()), "BF16", casts=("lossy",))
    assert answer.inputs["x"].dtype == np.float32
    assert answer.inputs["x"].tolist() == [1.5, float(np.float32(most))]
    assert [reason for _, reason, _ in reasons(answer)] == ["value outside BF16 in x"]


def test_nan_or_infinity_are_values_of_a_float_input() -> None:
    """Tree models take NaN for missing; only null is nothing."""
    column = pa.array([float("nan"), float("inf"), 1e300, 1.0])
    answer = encoded(column, "FP32", casts=("lossy",))
    assert np.array_equal(answer.inputs["x"], [np.nan, np.inf, 1.0], equal_nan=True)
    assert reasons(answer) == [(2, "value outside FP32 in x", "1e+300")]


# Properties: an oracle in exact arithmetic

_INTEGER_TYPES = ["INT8", "INT16", "INT32", "INT64", "UINT8", "UINT16", "UINT32", "UINT64"]
_NUMBERS = [*_INTEGER_TYPES, "FP16", "FP32", "FP64", "BOOL"]

Drawn = tuple[pa.DataType, list[Any]]


@st.composite
def integer_columns(draw: st.DrawFn) -> Drawn:
    """Integers of any width, with the edges of every other type among them."""
    kind = draw(
        st.sampled_from(
            [pa.int8(), pa.int16(), pa.int32(), pa.int64(), pa.uint8(), pa.uint32(), pa.uint64()]
        )
    )
    limits = np.iinfo(kind.to_pandas_dtype())
    edges = [
        sign * (1 << bit) + step for bit in range(65) for step in (-1, 0, 1) for sign in (1, -1)
    ]
    fitting = [edge for edge in edges if limits.min <= edge <= limits.max]
    value = st.one_of(
        st.none(), st.sampled_from(fitting), st.integers(int(limits.min), int(limits.max))
    )
    return kind, draw(st.lists(value, max_size=12))


@st.composite
def float_columns(draw: st.DrawFn) -> Drawn:
    """Floats of any width, NaN, infinity or large values among them."""
    widths: list[Literal[16, 32, 64]] = [16, 32, 64]
    width = draw(st.sampled_from(widths))
    kind = {16: pa.float16(), 32: pa.float32(), 64: pa.float64()}[width]
    value = st.one_of(
        st.none(),
        st.floats(width=width),
        st.integers(-300, 300).map(float),
        st.sampled_from([65504.0, float("inf"), float("nan"), -0.0]),
    )
    return kind, draw(st.lists(value, max_size=12))


@st.composite
def decimal_columns(draw: st.DrawFn) -> Drawn:
    """Decimals of any width, precision and scale."""
    make, most = draw(
        st.sampled_from(
            [(pa.decimal32, 9), (pa.decimal64, 18), (pa.decimal128, 38), (pa.decimal256, 76)]
        )
    )
    precision = draw(st.integers(1, most))
    scale = draw(st.integers(0, precision))
    limit = 10**precision - 1
    value = st.one_of(
        st.none(), st.integers(-limit, limit), st.integers(max(-limit, -300), min(limit, 300))
    )
    values = draw(st.lists(value, max_size=12))
    return make(precision, scale), [
        None if value is None else Decimal((value < 0, tuple(map(int, str(abs(value)))), -scale))
        for value in values
    ]


def nearest(exact: Fraction, datatype: str) -> Fraction | None:
    """Round to the nearest number of a float datatype, ties to even; None past its range."""
    limits = FLOAT_RANGES[datatype]
    if abs(exact) >= Fraction(limits.overflow):
        return None
    if not exact:
        return exact
    exponent = 0
    while abs(exact) >= Fraction(2) ** (exponent + 1):
        exponent += 1
    while abs(exact) < Fraction(2) ** exponent:
        exponent -= 1
    smallest = int(np.log2(limits.smallest))
    step = Fraction(2) ** (max(exponent, smallest) - limits.bits + 1)
    return round(exact / step) * step


def expected(value: Any, datatype: str, rounds: bool) -> Any:
    """Convert one value in exact arithmetic; None when it must be rejected."""
    if value is None:
        return None
    if isinstance(value, float) and not np.isfinite(value):
        return value if datatype in FLOAT_RANGES else None
    exact = Fraction(value)
    if datatype in FLOAT_RANGES:
        rounded = nearest(exact, datatype)
        return rounded if rounds or rounded == exact else None
    whole = int(exact)
    if datatype == "BOOL":
        return bool(whole) if whole in (0, 1) else None
    limits = np.iinfo(numpy_dtype(datatype).name)
    return whole if limits.min <= whole <= limits.max else None


def assert_as_expected(drawn: Drawn, datatype: str, *, lossy: bool, tolerance: int = 0) -> None:
    """Compare what is encoded with the oracle, row by row."""
    kind, values = drawn
    column = pa.array(values, kind)
    rounds = lossy or isinstance(next(filter(None, values), 0), Decimal)
    wanted = [expected(value, datatype, rounds) for value in values]
    answer = encoded(column, datatype, casts=("lossy",) if lossy else ())
    assert_lawful(answer, len(values))
    assert answer.accepted.tolist() == [value is not None for value in wanted]
    got = answer.inputs["x"]
    assert got.dtype == numpy_dtype(datatype)
    for one, other in zip(got.tolist(), [each for each in wanted if each is not None], strict=True):
        if isinstance(other, float):
            assert one == other or (np.isnan(one) and np.isnan(other))
        elif tolerance:
            assert abs(Fraction(one) - other) <= tolerance * Fraction(float(np.spacing(abs(one))))
        else:
            assert Fraction(one) == other


@given(integer_columns(), st.sampled_from(_NUMBERS), st.booleans())
def test_integers_convert_exactly_or_are_rejected(drawn: Drawn, datatype: str, lossy: bool) -> None:
    """No integer wraps; none is rounded unless `lossy` says so, and then to the nearest."""
    if datatype == "FP16" and lossy:
        return  # Rounded twice on the way, through float64: see the test below.
    assert_as_expected(drawn, datatype, lossy=lossy)


@given(float_columns(), st.sampled_from([name for name in _NUMBERS if name != "BOOL"]))
def test_floats_convert_as_lossy_promises(drawn: Drawn, datatype: str) -> None:
    """To the nearest float, or truncated; NaN, infinity and overflow never become integers."""
    assert_as_expected(drawn, datatype, lossy=True)


@given(decimal_columns(), st.sampled_from(_INTEGER_TYPES))
def test_decimals_truncate_to_integers_or_are_rejected(drawn: Drawn, datatype: str) -> None:
    """Up to 76 digits, no wrap."""
    assert_as_expected(drawn, datatype, lossy=True)


@given(decimal_columns())
def test_decimals_are_the_nearest_float_as_far_as_their_digits_survive(drawn: Drawn) -> None:
    """Within 15 digits exactly the nearest FP64; beyond, within two units in the last place."""
    kind, _ = drawn
    exact = kind.precision <= 15 and kind.scale <= 15
    assert_as_expected(drawn, "FP64", lossy=not exact, tolerance=0 if exact else 2)


@given(st.lists(st.none() | st.integers(-(2**63), 2**63 - 1), max_size=12))
def test_integers_round_to_half_floats_within_one_unit(values: list[int | None]) -> None:
    """Past 65,519 there is no half float: those rows are rejected."""
    small = [value if value is None else value % 140_000 - 70_000 for value in values]
    answer = encoded(pa.array(small, pa.int64()), "FP16", casts=("lossy",))
    wanted = [value for value in small if value is not None and abs(value) < 65520]
    assert np.array_equal(answer.inputs["x"], np.array(wanted, np.float64).astype(np.float16))


@st.composite
def ragged_rows(draw: st.DrawFn) -> list[list[int | None] | None]:
    """Lists of lengths around three, nulls outside or inside."""
    inner = st.lists(st.none() | st.integers(-5, 300), min_size=2, max_size=4)
    return draw(st.lists(st.none() | inner, max_size=12))


@given(ragged_rows(), st.sampled_from([pa.list_, pa.large_list, pa.list_view]), st.integers(0, 3))
def test_lists_are_accepted_when_whole_of_the_right_length_or_else_rejected(
    rows: list[list[int | None] | None], make: Any, offset: int
) -> None:
    """Whatever slice of whatever kind of list it is."""
    column = pa.array(rows, make(pa.int32())).slice(min(offset, len(rows)))
    answer = encoded(column, "UINT8", 3)
    left = rows[offset:]
    good = [
        row is not None and len(row) == 3 and all(v is not None and 0 <= v < 256 for v in row)
        for row in left
    ]
    assert_lawful(answer, len(left))
    assert answer.accepted.tolist() == good
    assert answer.inputs["x"].tolist() == [row for row, ok in zip(left, good, strict=True) if ok]


@given(decimal_columns())
def test_decimals_overflow_no_half_float(drawn: Drawn) -> None:
    """Past its range a row is rejected, whatever the number of digits."""
    _, values = drawn
    answer = encoded(pa.array(values, drawn[0]), "FP16", casts=("lossy",))
    present = [value is not None and abs(value) < 65520 for value in values]
    assert answer.accepted.tolist() == present
    assert np.isfinite(answer.inputs["x"]).all()
