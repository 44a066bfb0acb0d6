"""Check every data type from Parquet through a real Triton to Parquet."""

import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from cli.stack.triton import LocalTriton
from flows.shards.column_errors import MappingError
from registry.domain import ModelVersion
from tests.flows.bench import Scored, model, open_bench, quarantined, spec, write

pytestmark = pytest.mark.triton

ROWS = 40
DAY, SECOND = datetime.date(2026, 1, 1), datetime.datetime(2026, 1, 1, 12)
BOUNDS = {
    "UINT8": (0, 2**8 - 1),
    "UINT16": (0, 2**16 - 1),
    "UINT32": (0, 2**32 - 1),
    "UINT64": (0, 2**64 - 1),
    "INT8": (-(2**7), 2**7 - 1),
    "INT16": (-(2**15), 2**15 - 1),
    "INT32": (-(2**31), 2**31 - 1),
    "INT64": (-(2**63), 2**63 - 1),
}


def echo(*names: str, **shapes: tuple[int, ...]) -> ModelVersion:
    """The model that gives back these inputs."""
    described = [(name, shapes.get(name, ())) for name in names]
    kinds = {"MATRIX": "FP32"}
    return model(
        "echo",
        [spec(name, kinds.get(name, name), *shape) for name, shape in described],
        [spec(f"{name}_OUT", kinds.get(name, name), *shape) for name, shape in described],
    )


async def through(
    triton: LocalTriton, folder: Path, version: ModelVersion, table: pa.Table, **asked: Any
) -> Scored:
    """Score a table written to a file of a dataset."""
    write(folder / "lake" / "a.parquet", table, group_rows=15)
    async with open_bench(triton.grpc_url) as bench:
        return await bench.run(version, folder / "lake", folder / "out", **asked)


def integers(low: int, high: int) -> list[int]:
    """Both ends, and numbers between them."""
    return [low, high, *(low + k * (high - low) // ROWS for k in range(2, ROWS))]


async def test_every_datatype_at_once(triton: LocalTriton, tmp_path: Path) -> None:
    """Thirteen inputs and outputs in one request, each value as it was, ends of ranges included."""
    columns: dict[str, pa.Array] = {
        name: pa.array(integers(*ends), getattr(pa, name.lower())())
        for name, ends in BOUNDS.items()
    }
    floats = np.random.default_rng(3).normal(size=ROWS)
    columns |= {
        "BOOL": pa.array([k % 3 == 0 for k in range(ROWS)]),
        "FP16": pa.array(floats.astype(np.float16)),
        "FP32": pa.array(floats.astype(np.float32)),
        "FP64": pa.array(floats),
        "BYTES": pa.array([f"é{k}\0" * (k % 4) for k in range(ROWS)]),
    }
    scored = await through(triton, tmp_path, echo(*columns), pa.table(columns), keep="all")
    assert scored.manifest.rows_ok == ROWS
    for name, column in columns.items():
        out = scored.rows[f"{name}_OUT"].combine_chunks()
        assert scored.rows[name].combine_chunks() == column
        expected = column.cast(pa.binary()) if name == "BYTES" else column
        assert out == expected, name


async def test_several_columns_of_many_types_are_stacked(
    triton: LocalTriton, tmp_path: Path
) -> None:
    """Scalars, decimals and lists beside each other fill the last dimension; rows keep order."""
    table = pa.table(
        {
            "a": pa.array(range(ROWS), pa.int16()),
            "b": pa.array([Decimal(k) / 4 for k in range(ROWS)], pa.decimal128(9, 2)),
            "c": pa.array([[k, k + 0.5] for k in range(ROWS)], pa.list_(pa.float32(), 2)),
            "d": pa.array([[k] for k in range(ROWS)], pa.list_(pa.uint8())),
            "e": pa.array([k % 2 == 0 for k in range(ROWS)]),
        }
    )
    version = model("ragged", [spec("values", "FP32", 6)], [spec("doubled", "FP32", 6)])
    scored = await through(
        triton, tmp_path, version, table, columns={"values": list("abcde")}, casts=["lossy"]
    )
    assert scored.rows.schema.field("doubled").type == pa.list_(pa.float32(), 6)
    assert scored.rows["doubled"].to_pylist() == [
        [2.0 * k, k / 2, 2.0 * k, 2.0 * k + 1, 2.0 * k, 2.0 * (k % 2 == 0)] for k in range(ROWS)
    ]


async def test_matrices(triton: LocalTriton, tmp_path: Path) -> None:
    """Lists of lists go in; fixed-size lists of fixed-size lists come out."""
    values = [[[k + 10 * i + j / 4 for j in range(3)] for i in range(2)] for k in range(ROWS)]
    for kind in (pa.list_(pa.list_(pa.float32(), 3), 2), pa.list_(pa.list_(pa.float32()))):
        folder = tmp_path / str(kind.id)
        table = pa.table({"m": pa.array(values, kind)})
        version = echo("MATRIX", MATRIX=(2, 3))
        scored = await through(triton, folder, version, table, columns={"MATRIX": ["m"]})
        out = scored.rows["MATRIX_OUT"]
        assert out.type == pa.list_(pa.list_(pa.float32(), 3), 2)
        assert out.to_pylist() == values


@pytest.mark.parametrize(
    ("column", "name", "casts", "expected"),
    [
        (pa.array([DAY]), "INT32", ["temporal"], 20454),
        (pa.array([SECOND], pa.timestamp("ms")), "INT64", ["temporal"], 1767268800000),
        (pa.array([SECOND], pa.timestamp("us", "UTC")), "FP64", ["temporal"], 1767268800e6),
        (pa.array(["a", "b", "a"]).dictionary_encode().slice(2), "BYTES", [], b"a"),
        (pa.array([b"\x00\xff"]), "BYTES", [], b"\x00\xff"),
        (pa.array(["ü"], pa.large_string()), "BYTES", [], "ü".encode()),
        (pa.array(["long enough not to be inlined"], pa.string_view()), "BYTES", [], None),
        (pa.array([Decimal("12.50")]), "FP64", [], 12.5),
        (pa.array([" 7.5"]), "FP32", ["parse"], 7.5),
        (pa.array([0.1]), "FP32", ["lossy"], float(np.float32(0.1))),
        (pa.array([True]), "UINT8", [], 1),
    ],
    ids=[
        "date",
        "timestamp",
        "timestamp with zone",
        "dictionary",
        "binary",
        "large string",
        "string view",
        "decimal",
        "text",
        "rounded",
        "bool",
    ],
)
async def test_conversions(
    triton: LocalTriton,
    tmp_path: Path,
    column: pa.Array,
    name: str,
    casts: list[str],
    expected: Any,
) -> None:
    """Dates, texts, decimals and numbers that are rounded, each when it was asked for."""
    version = echo(name)
    asked = {"columns": {name: ["c"]}, "casts": casts}
    table = pa.table({"c": column})
    scored = await through(triton, tmp_path / "asked", version, table, **asked)
    value = column[0].as_py().encode() if expected is None else expected
    assert scored.rows[f"{name}_OUT"].to_pylist() == [value]
    if casts:
        with pytest.raises(MappingError, match=casts[0]):
            await through(triton, tmp_path / "not", version, table, **asked | {"casts": []})


async def test_text_outputs(triton: LocalTriton, tmp_path: Path) -> None:
    """BYTES are text when asked for; a row that is not UTF-8 is quarantined, whole."""
    table = pa.table({"id": [1, 2, 3], "t": pa.array([b"\xc3\xa9", b"\xff", b""])})
    scored = await through(
        triton,
        tmp_path,
        echo("BYTES"),
        table,
        columns={"BYTES": ["t"]},
        text=["BYTES_OUT"],
        max_quarantined_rows=1,
    )
    assert scored.rows.to_pydict() == {"id": [1, 3], "BYTES_OUT": ["é", ""]}
    assert scored.rows.schema.field("BYTES_OUT").type == pa.string()
    (bad,) = quarantined(tmp_path / "out")
    assert (bad["id"], bad["t"], bad["_stage"]) == (2, b"\xff", "answer")
    assert bad["_reason"] == "text that is not UTF-8 in output BYTES_OUT"


async def test_text_of_numbers_is_refused(triton: LocalTriton, tmp_path: Path) -> None:
    """Before anything is scored."""
    table = pa.table({"FP32": pa.array([1.0], pa.float32())})
    with pytest.raises(MappingError, match="only BYTES can be written as text"):
        await through(triton, tmp_path, echo("FP32"), table, text=["FP32_OUT"])


async def test_ragged_lists_beside_columns_of_any_type(triton: LocalTriton, tmp_path: Path) -> None:
    """Rows of each length travel together; the part has them in the input's order.

    Beside them are kept columns that Arrow can hardly take rows of, and rows that cannot be
    scored at all.
    """
    lengths = [k % 4 for k in range(ROWS)]
    values: list[list[float] | None] = [[float(k)] * length for k, length in enumerate(lengths)]
    values[7] = None
    bad = {k for k in range(ROWS) if not values[k]}
    table = pa.table(
        {
            "id": range(ROWS),
            "values": pa.array(values, pa.list_(pa.float32())),
            "view": pa.array(
                [f"a text of many letters {k}" for k in range(ROWS)], pa.string_view()
            ),
            "bytes": pa.array([b"x" * k for k in range(ROWS)], pa.binary_view()),
            "struct": pa.array([{"a": k, "b": [str(k)]} for k in range(ROWS)]),
            "category": pa.array([str(k % 3) for k in range(ROWS)]).dictionary_encode(),
        }
    )
    version = model(
        "ragged",
        [spec("values", "FP32", -1)],
        [spec("doubled", "FP32", -1), spec("total", "FP64")],
    )
    scored = await through(
        triton, tmp_path, version, table, keep="all", max_quarantined_rows=len(bad)
    )
    good = [k for k in range(ROWS) if k not in bad]
    rows = scored.rows.to_pylist()
    assert [row["id"] for row in rows] == good
    assert [row["total"] for row in rows] == [float(k * lengths[k]) for k in good]
    assert [row["doubled"] for row in rows] == [[2.0 * k] * lengths[k] for k in good]
    kept = table.select(["view", "bytes", "struct", "category"]).to_pylist()
    names = ("view", "bytes", "struct", "category")
    assert [{name: row[name] for name in names} for row in rows] == [kept[k] for k in good]
    told = quarantined(tmp_path / "out")
    assert [row["id"] for row in told] == sorted(bad)
    assert [{name: row[name] for name in names} for row in told] == [kept[k] for k in sorted(bad)]
    assert told[2]["_reason"] == "null in values"


async def test_columns_named_for_outputs(triton: LocalTriton, tmp_path: Path) -> None:
    """Several outputs, one renamed; kept columns and partitions come first, then outputs."""
    table = pa.table({"id": [1, 2], "v": pa.array([[1.0], [2.0]], pa.list_(pa.float32()))})
    version = model(
        "ragged",
        [spec("values", "FP32", -1)],
        [spec("doubled", "FP32", -1), spec("total", "FP64")],
    )
    write(tmp_path / "lake/year=2026/city=Köln/a.parquet", table)
    async with open_bench(triton.grpc_url) as bench:
        scored = await bench.run(
            version,
            tmp_path / "lake",
            tmp_path / "out",
            columns={"values": ["v"]},
            rename={"total": "id sum"},
            keep=["id"],
        )
    assert scored.rows.column_names == ["id", "year", "city", "doubled", "id sum"]
    assert scored.rows.to_pylist()[1] == {
        "id": 2,
        "year": 2026,
        "city": "Köln",
        "doubled": [4.0],
        "id sum": 2.0,
    }
