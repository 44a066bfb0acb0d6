"""Planning which columns feed which inputs."""

import json
import pickle

import pyarrow as pa
import pytest

from flows.shards.column_errors import (
    LossyCast,
    MappingError,
    MissingColumn,
    NameCollision,
    ParseCast,
    TemporalCast,
    UnknownTensor,
    UnsupportedDatatype,
    WrongShape,
    WrongType,
)
from registry.domain import TensorSpec
from tests.flows.shards.columns import mapping, signature, spec

FLIGHTS = pa.schema(
    [
        ("dep_delay", pa.float32()),
        ("distance", pa.int16()),
        ("hour", pa.int8()),
        ("carrier", pa.string()),
    ]
)
MONTH = pa.schema([("month", pa.int64())])


def test_an_input_takes_the_column_of_its_own_name() -> None:
    """Without any mapping, names decide."""
    compiled = mapping(signature(spec("distance", "FP32", 1)), FLIGHTS)
    (encoder,) = compiled.encoders
    assert [source.column for source in encoder.sources] == ["distance"]
    assert encoder.row_shape == (1,)


def test_the_job_names_columns_before_the_registered_version_does() -> None:
    """Job, then registered version, then the input's own name."""
    model = signature(spec("x", "FP32", 2), spec("y", "FP32"), spec("hour", "FP32"))
    compiled = mapping(
        model,
        FLIGHTS,
        columns={"x": ["distance", "dep_delay"]},
        registered={"x": ["hour", "hour"], "y": ["dep_delay"]},
    )
    assert [[source.column for source in each.sources] for each in compiled.encoders] == [
        ["distance", "dep_delay"],
        ["dep_delay"],
        ["hour"],
    ]


def test_a_missing_column_is_named_with_its_input_the_closest_columns_and_the_remedy() -> None:
    """The one line says what to do."""
    with pytest.raises(MissingColumn) as caught:
        mapping(signature(spec("dep_dely", "FP32", 1)), FLIGHTS)
    assert str(caught.value) == (
        "the dataset has no column 'dep_dely', which input dep_dely FP32[-1, 1] takes unless told "
        "otherwise: close to it: dep_delay; name its columns with "
        "--columns dep_dely=COLUMN,… (the job's columns)"
    )
    assert caught.value.name == "dep_dely"


def test_a_missing_column_like_no_other_shows_what_there_is() -> None:
    """Without a close match the first columns are listed."""
    wide = pa.schema([(f"column{k}", pa.float32()) for k in range(12)])
    with pytest.raises(MissingColumn, match=r"it has column0, .*column7 and 4 more; name its"):
        mapping(signature(spec("q", "FP32")), wide)
    with pytest.raises(MissingColumn, match="it has none"):
        mapping(signature(spec("q", "FP32")), pa.schema([]))


def test_a_column_that_differs_in_case_alone_is_close() -> None:
    """SQL users write column names in capitals."""
    with pytest.raises(MissingColumn, match="close to it: hour"):
        mapping(signature(spec("x", "FP32")), FLIGHTS, columns={"x": ["HOUR"]})


@pytest.mark.parametrize(
    ("keep", "kept"),
    [
        ("rest", ("hour", "carrier")),
        ("all", ("dep_delay", "distance", "hour", "carrier")),
        ("none", ()),
        (["carrier", "dep_delay", "month", "carrier"], ("carrier", "dep_delay")),
    ],
)
def test_keep_chooses_the_columns_beside_the_scores(keep: list[str], kept: tuple[str, ...]) -> None:
    """Partition columns are kept whatever is chosen."""
    model = signature(spec("x", "FP32", 2))
    compiled = mapping(model, FLIGHTS, MONTH, columns={"x": ["dep_delay", "distance"]}, keep=keep)
    assert compiled.kept_columns == kept
    assert compiled.output_schema.names == [*kept, "month", "score"]
    read = {"dep_delay", "distance", *kept}
    assert compiled.read_columns == tuple(name for name in FLIGHTS.names if name in read)


def test_keeping_a_column_that_is_not_there_is_an_error() -> None:
    """A list names columns of the dataset only."""
    with pytest.raises(MissingColumn, match=r"'carier', which --keep names: close to it: carrier"):
        mapping(signature(spec("hour", "FP32")), FLIGHTS, keep=["carier"])


def test_a_partition_column_feeds_an_input_without_being_read() -> None:
    """Its value is in the path."""
    compiled = mapping(signature(spec("month", "INT64")), FLIGHTS, MONTH, keep="none")
    assert compiled.read_columns == ()
    assert compiled.encoders[0].sources[0].is_partition


def test_a_partition_column_hides_the_files_own() -> None:
    """Writers that keep the column in the file too are read by the path."""
    schema = FLIGHTS.append(pa.field("month", pa.int8()))
    compiled = mapping(signature(spec("hour", "FP32")), schema, MONTH, keep="all")
    assert compiled.output_schema.field("month").type == pa.int64()
    assert "month" not in compiled.read_columns


def test_outputs_are_renamed() -> None:
    """An output without a new name keeps its own."""
    outputs = (spec("score", "FP32", 1), spec("margin", "FP64"))
    compiled = mapping(
        signature(spec("hour", "FP32"), outputs=outputs),
        FLIGHTS,
        keep="none",
        rename={"score": "delay"},
    )
    assert compiled.output_schema == pa.schema([("delay", pa.float32()), ("margin", pa.float64())])


@pytest.mark.parametrize(
    ("rename", "partitions", "owner"),
    [
        ({"score": "carrier"}, pa.schema([]), "a kept column"),
        ({"score": "month"}, MONTH, "a kept column"),
        ({"score": "margin"}, pa.schema([]), "output 'margin'"),
    ],
)
def test_two_columns_of_one_name_are_refused_with_the_remedy(
    rename: dict[str, str], partitions: pa.Schema, owner: str
) -> None:
    """Kept, partition or output: nothing is overwritten."""
    outputs = (spec("margin", "FP32", 1), spec("score", "FP64"))
    model = signature(spec("hour", "FP32"), outputs=outputs)
    with pytest.raises(NameCollision, match=rf"{owner}.*--rename score=NAME.*the job's rename"):
        mapping(model, FLIGHTS, partitions, rename=rename)


@pytest.mark.parametrize(
    ("arguments", "where"),
    [
        ({"columns": {"hours": ["hour"]}}, "--columns names input 'hours'"),
        ({"registered": {"hours": ["hour"]}}, "the registered columns names input 'hours'"),
        ({"rename": {"scores": "s"}}, "--rename names output 'scores'"),
        ({"text": ["scores"]}, "--text names output 'scores'"),
    ],
)
def test_an_unknown_tensor_is_named_with_the_closest(
    arguments: dict[str, dict[str, list[str]]], where: str
) -> None:
    """A typing error does not silently do nothing."""
    with pytest.raises(UnknownTensor, match=f"{where}, which the model does not have: close to"):
        mapping(signature(spec("hour", "FP32")), FLIGHTS, **arguments)  # type: ignore[arg-type]  # one of them


@pytest.mark.parametrize(
    ("column", "datatype", "error"),
    [
        (pa.float64(), "FP32", LossyCast),
        (pa.float64(), "FP16", LossyCast),
        (pa.float32(), "BF16", LossyCast),
        (pa.float16(), "BF16", LossyCast),
        (pa.float32(), "INT64", LossyCast),
        (pa.decimal128(7, 2), "FP32", LossyCast),
        (pa.decimal128(16, 2), "FP64", LossyCast),
        (pa.decimal128(3, 5), "FP16", LossyCast),
        (pa.decimal128(5, 2), "INT32", LossyCast),
        (pa.date32(), "INT32", TemporalCast),
        (pa.timestamp("us"), "FP64", TemporalCast),
        (pa.duration("s"), "INT64", TemporalCast),
        (pa.string(), "FP32", ParseCast),
        (pa.dictionary(pa.int8(), pa.large_string()), "INT64", ParseCast),
        (pa.float32(), "BOOL", WrongType),
        (pa.decimal128(5, 0), "BOOL", WrongType),
        (pa.int64(), "BYTES", WrongType),
        (pa.binary(), "INT64", WrongType),
        (pa.null(), "FP32", WrongType),
        (pa.struct([("a", pa.int8())]), "FP32", WrongType),
        (pa.map_(pa.string(), pa.float32()), "FP32", WrongType),
        (pa.month_day_nano_interval(), "FP32", WrongType),
        (pa.float32(), "FP8", UnsupportedDatatype),
    ],
)
def test_conversions_are_refused_unless_asked_for(
    column: pa.DataType, datatype: str, error: type[MappingError]
) -> None:
    """The error names the column, both types, and what to write into the job."""
    schema = pa.schema([("x", column)])
    with pytest.raises(error, match="x") as caught:
        mapping(signature(spec("x", datatype)), schema)
    assert "\n" not in str(caught.value)
    permission = getattr(error, "permission", None)
    if permission is None:
        return
    assert f"allow it with --cast {permission} (the job's casts)" in str(caught.value)
    mapping(signature(spec("x", datatype)), schema, casts=["lossy", "temporal", "parse"])


@pytest.mark.parametrize(
    ("column", "datatype"),
    [
        (pa.bool_(), "BOOL"),
        (pa.bool_(), "FP32"),
        (pa.int32(), "INT64"),
        (pa.uint8(), "INT16"),
        (pa.int16(), "FP32"),
        (pa.int8(), "BF16"),
        (pa.int32(), "FP64"),
        (pa.int64(), "FP32"),
        (pa.int64(), "INT8"),
        (pa.int8(), "BOOL"),
        (pa.float16(), "FP32"),
        (pa.float32(), "FP64"),
        (pa.decimal128(15, 4), "FP64"),
        (pa.decimal128(6, 2), "FP32"),
        (pa.decimal128(38, 0), "INT64"),
        (pa.binary_view(), "BYTES"),
        (pa.binary(16), "BYTES"),
        (pa.dictionary(pa.int8(), pa.string()), "BYTES"),
    ],
)
def test_exact_or_value_checked_conversions_need_no_permission(
    column: pa.DataType, datatype: str
) -> None:
    """Nothing can be changed unnoticed by them."""
    mapping(signature(spec("x", datatype)), pa.schema([("x", column)]))


@pytest.mark.parametrize(
    ("columns", "row_shape", "levels", "resolved"),
    [
        ([pa.float32()], (), [()], ()),
        ([pa.float32()], (1,), [()], (1,)),
        ([pa.float32()], (-1,), [()], (1,)),
        ([pa.float32()] * 6, (6,), [()] * 6, (6,)),
        ([pa.float32()] * 6, (2, 3), [()] * 6, (2, 3)),
        ([pa.float32()] * 6, (-1, 3), [()] * 6, (2, 3)),
        ([pa.list_(pa.float32(), 4)], (4,), [(4,)], (4,)),
        ([pa.list_(pa.float32(), 4)], (-1,), [(4,)], (4,)),
        ([pa.list_(pa.float32(), 1)], (), [(1,)], ()),
        ([pa.list_(pa.float32(), 6)], (2, 3), [(6,)], (2, 3)),
        ([pa.list_(pa.float32())], (4,), [(4,)], (4,)),
        ([pa.large_list(pa.float32())], (-1,), [(-1,)], (-1,)),
        ([pa.list_(pa.float32())], (2, 3), [(6,)], (2, 3)),
        ([pa.list_(pa.float32()), pa.float32()], (4,), [(3,), ()], (4,)),
        ([pa.list_(pa.float32(), 2), pa.float32()], (-1,), [(2,), ()], (3,)),
        ([pa.list_(pa.list_(pa.float32(), 3), 2)], (2, 3), [(2, 3)], (2, 3)),
        ([pa.list_(pa.list_(pa.float32(), 3))], (-1, -1), [(-1, 3)], (-1, 3)),
        ([pa.fixed_shape_tensor(pa.float32(), [2, 3])], (2, 3), [(6,)], (2, 3)),
    ],
)
def test_columns_are_laid_out_along_the_input(
    columns: list[pa.DataType],
    row_shape: tuple[int, ...],
    levels: list[tuple[int, ...]],
    resolved: tuple[int, ...],
) -> None:
    """Single values, fixed-size, varying or nested lists, alone or side by side."""
    schema = pa.schema([(f"c{k}", column) for k, column in enumerate(columns)])
    model = signature(spec("x", "FP32", *row_shape))
    compiled = mapping(model, schema, columns={"x": schema.names})
    (encoder,) = compiled.encoders
    assert [source.levels for source in encoder.sources] == levels
    assert encoder.row_shape == resolved
    assert compiled.is_ragged == (-1 in resolved)


@pytest.mark.parametrize(
    ("columns", "row_shape", "said"),
    [
        ([pa.float32()] * 5, (6,), r"takes 6 values a row, columns .* and 1 more give 5"),
        ([pa.float32()], (2,), "takes 2 values a row, columns 'c0' give 1"),
        ([pa.float32()] * 5, (-1, 3), "a multiple of the known"),
        ([pa.float32()], (-1, -1), "a multiple of the known"),
        ([pa.list_(pa.float32(), 3)], (4,), "has lists of 3 values, input .* takes 4"),
        ([pa.list_(pa.float32()), pa.list_(pa.float32())], (4,), "varying length"),
        ([pa.list_(pa.float32()), pa.float32()], (-1,), "varying length"),
        ([pa.list_(pa.float32())], (-1, 3), "varying length"),
        ([pa.list_(pa.list_(pa.float32()))], (4,), "nested 2 deep"),
        (
            [pa.fixed_shape_tensor(pa.float32(), [2, 3], permutation=[1, 0])],
            (2, 3),
            "takes 6 values",
        ),
    ],
)
def test_columns_that_do_not_fill_the_input_are_refused(
    columns: list[pa.DataType], row_shape: tuple[int, ...], said: str
) -> None:
    """The error counts both sides."""
    schema = pa.schema([(f"c{k}", column) for k, column in enumerate(columns)])
    model = signature(spec("x", "FP32", *row_shape))
    with pytest.raises(WrongShape, match=said):
        mapping(model, schema, columns={"x": schema.names})


@pytest.mark.parametrize(
    ("output", "expected"),
    [
        (spec("y", "FP32"), pa.float32()),
        (spec("y", "FP64", 1), pa.float64()),
        (spec("y", "FP16", 3), pa.list_(pa.float16(), 3)),
        (spec("y", "BF16"), pa.float32()),
        (spec("y", "BOOL"), pa.bool_()),
        (spec("y", "UINT8", 2, 3), pa.list_(pa.list_(pa.uint8(), 3), 2)),
        (spec("y", "INT64", -1), pa.list_(pa.int64())),
        (spec("y", "INT64", -1, 2), pa.list_(pa.list_(pa.int64(), 2))),
        (spec("y", "BYTES"), pa.binary()),
        (spec("y", "BYTES", 2), pa.list_(pa.binary(), 2)),
    ],
)
def test_outputs_become_columns_of_the_type_that_holds_them(
    output: TensorSpec, expected: pa.DataType
) -> None:
    """Each further dimension is a level of lists."""
    model = signature(spec("hour", "FP32"), outputs=[output])
    assert mapping(model, FLIGHTS).output_schema.field("y").type == expected


def test_text_outputs_are_strings_where_the_job_says_so() -> None:
    """Only BYTES can be text."""
    model = signature(
        spec("hour", "FP32"), outputs=[spec("label", "BYTES", 1), spec("p", "FP32", 3)]
    )
    compiled = mapping(model, FLIGHTS, text=["label"])
    assert compiled.output_schema.field("label").type == pa.string()
    with pytest.raises(WrongType, match="only BYTES can be written as text"):
        mapping(model, FLIGHTS, text=["p"])


def test_what_determines_the_output_is_in_the_json() -> None:
    """The same mapping gives the same value, another order of columns another."""
    model = signature(spec("x", "FP32", 2))
    one = mapping(model, FLIGHTS, MONTH, columns={"x": ["distance", "hour"]}).to_json()
    assert one == {
        "input x": {
            "datatype": "FP32",
            "row_shape": [2],
            "columns": ["distance: int16, exact", "hour: int8, exact"],
            "rounds": False,
        },
        "output score": {"column": "score", "type": "float"},
        "kept columns": ["dep_delay", "carrier"],
        "partition columns": ["month"],
    }
    assert json.loads(json.dumps(one)) == one
    other = mapping(model, FLIGHTS, MONTH, columns={"x": ["hour", "distance"]}).to_json()
    assert other != one


def test_errors_survive_pickling() -> None:
    """Prefect carries them between processes."""
    with pytest.raises(MissingColumn) as caught:
        mapping(signature(spec("q", "FP32")), FLIGHTS)
    copy = pickle.loads(pickle.dumps(caught.value))
    assert (str(copy), copy.name) == (str(caught.value), "q")
