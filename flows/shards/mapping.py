"""Plan how a dataset's columns feed a model's inputs, with what is written beside its outputs."""

import difflib
from collections import abc
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import pyarrow as pa

from flows.shards.casts import plan_cast
from flows.shards.column_errors import MissingColumn, NameCollision, UnknownTensor
from flows.shards.column_types import list_levels
from flows.shards.layout import ColumnEncoder, Source, lay_out
from flows.shards.output_types import output_type
from registry.domain import Signature, TensorSpec

Keep = Literal["rest", "all", "none"] | Sequence[str]


@dataclass(frozen=True, slots=True)
class OutputColumn:
    """The column that one output becomes."""

    spec: TensorSpec
    """The output."""
    column: str
    """Its name in the part."""
    type: pa.DataType
    """Its type in the part."""


@dataclass(frozen=True, slots=True)
class Mapping:
    """Everything about columns that a job decides before the first row is read."""

    encoders: tuple[ColumnEncoder, ...]
    """One for each input, in the signature's order."""
    kept_columns: tuple[str, ...]
    """Columns of the file that are copied, in the part's order."""
    partition_columns: tuple[str, ...]
    """Columns from the path, which follow them; always kept."""
    outputs: tuple[OutputColumn, ...]
    """Columns of the model's outputs, which come last, in the signature's order."""
    read_columns: tuple[str, ...]
    """Columns that have to be read from each file, in the file's order."""
    output_schema: pa.Schema
    """The part's schema."""

    @property
    def is_ragged(self) -> bool:
        """Whether a batch may have to be split by the length of its lists before encoding."""
        return any(encoder.is_ragged for encoder in self.encoders)

    def to_json(self) -> dict[str, Any]:
        """Return what determines the output, as JSON values: the same for the same mapping."""
        return {
            **{f"input {encoder.spec.name}": _described(encoder) for encoder in self.encoders},
            **{
                f"output {output.spec.name}": {"column": output.column, "type": str(output.type)}
                for output in self.outputs
            },
            "kept columns": list(self.kept_columns),
            "partition columns": list(self.partition_columns),
        }


def _described(encoder: ColumnEncoder) -> dict[str, Any]:
    return {
        "datatype": encoder.spec.datatype,
        "row_shape": list(encoder.row_shape),
        "columns": [
            f"{source.column}: {source.cast.source}, {source.cast.kind}"
            for source in encoder.sources
        ],
        "rounds": any(source.cast.rounds for source in encoder.sources),
    }


def compile_mapping(
    signature: Signature,
    arrow_schema: pa.Schema,
    partition_columns: pa.Schema,
    *,
    columns: abc.Mapping[str, Sequence[str]],
    keep: Keep,
    rename: abc.Mapping[str, str],
    casts: Collection[str],
    registered: abc.Mapping[str, Sequence[str]],
    text: Collection[str] = (),
) -> Mapping:
    """Decide which columns feed each input, which are kept, and what the part's schema is.

    An input takes the columns that the job names for it, else those registered with the version,
    else the column of its own name. A partition column hides one of the same name in the files.
    `text` names BYTES outputs to write as UTF-8 strings. Raises a `MappingError`.
    """
    _check_tensors("--columns", columns, signature.inputs, "input")
    _check_tensors("the registered columns", registered, signature.inputs, "input")
    _check_tensors("--rename", rename, signature.outputs, "output")
    _check_tensors("--text", text, signature.outputs, "output")
    dataset = _Dataset(arrow_schema, partition_columns)
    encoders = tuple(
        _encoder(spec, columns.get(spec.name) or registered.get(spec.name), dataset, casts)
        for spec in signature.inputs
    )
    used = {source.column for encoder in encoders for source in encoder.sources}
    kept = _kept(keep, used, dataset)
    outputs = tuple(
        OutputColumn(spec, rename.get(spec.name, spec.name), output_type(spec, text))
        for spec in signature.outputs
    )
    _check_names([*kept, *dataset.partitions], outputs)
    return Mapping(
        encoders=encoders,
        kept_columns=kept,
        partition_columns=tuple(dataset.partitions),
        outputs=outputs,
        read_columns=tuple(name for name in dataset.in_files if name in used or name in kept),
        output_schema=_part_schema(dataset, kept, outputs),
    )


class _Dataset:
    """The columns that there are: those of the files, then those of their paths."""

    def __init__(self, schema: pa.Schema, partitions: pa.Schema) -> None:
        self.partitions = tuple(partitions.names)
        self.in_files = tuple(name for name in schema.names if name not in self.partitions)
        self.types: dict[str, pa.DataType] = {
            **{name: schema.field(name).type for name in self.in_files},
            **{name: partitions.field(name).type for name in self.partitions},
        }

    def type_of(self, name: str, wanted_by: str, remedy: str) -> pa.DataType:
        if name in self.types:
            return self.types[name]
        raise MissingColumn(
            f"the dataset has no column {name!r}, which {wanted_by}: {_instead(name, self.types)}; "
            f"{remedy}",
            name=name,
        )


def _encoder(
    spec: TensorSpec, named: Sequence[str] | None, dataset: _Dataset, casts: Collection[str]
) -> ColumnEncoder:
    names = tuple(named or (spec.name,))
    wanted_by = f"input {spec} takes" if named else f"input {spec} takes unless told otherwise"
    remedy = f"name its columns with --columns {spec.name}=COLUMN,… (the job's columns)"
    found = [(name, *list_levels(dataset.type_of(name, wanted_by, remedy))) for name in names]
    levels, row_shape = lay_out(spec, [(name, sizes) for name, sizes, _ in found])
    sources = tuple(
        Source(
            column=name,
            is_partition=name in dataset.partitions,
            levels=sizes,
            cast=plan_cast(leaf, spec.datatype, casts, column=name, tensor=spec.name),
        )
        for (name, _, leaf), sizes in zip(found, levels, strict=True)
    )
    return ColumnEncoder(spec, sources, row_shape)


def _kept(keep: Keep, used: Collection[str], dataset: _Dataset) -> tuple[str, ...]:
    """Return the file's columns to copy; those of the path are kept anyway."""
    if keep == "none":
        return ()
    if keep == "all":
        return dataset.in_files
    if keep == "rest":
        return tuple(name for name in dataset.in_files if name not in used)
    for name in keep:
        remedy = "correct the name, or leave it out of --keep (the job's keep)"
        dataset.type_of(name, "--keep names", remedy)
    return tuple(dict.fromkeys(name for name in keep if name not in dataset.partitions))


def _part_schema(
    dataset: _Dataset, kept: Sequence[str], outputs: Sequence[OutputColumn]
) -> pa.Schema:
    return pa.schema(
        [
            *(pa.field(name, dataset.types[name]) for name in (*kept, *dataset.partitions)),
            *(pa.field(output.column, output.type) for output in outputs),
        ]
    )


def _check_tensors(
    where: str, named: Collection[str], specs: Sequence[TensorSpec], kind: str
) -> None:
    known = [spec.name for spec in specs]
    for name in named:
        if name not in known:
            raise UnknownTensor(
                f"{where} names {kind} {name!r}, which the model does not have: "
                f"{_instead(name, known)}; correct the name",
                name=name,
            )


def _check_names(taken: Sequence[str], outputs: Sequence[OutputColumn]) -> None:
    owners = dict.fromkeys(taken, "a kept column")
    for output in outputs:
        if output.column in owners:
            raise NameCollision(
                f"output {output.spec.name!r} would be written as {output.column!r}, which "
                f"{owners[output.column]} is called already: give it another name with "
                f"--rename {output.spec.name}=NAME (the job's rename), or keep fewer columns",
                name=output.column,
            )
        owners[output.column] = f"output {output.spec.name!r}"


def _instead(name: str, known: Collection[str]) -> str:
    """Name what there is: the closest names, else the first few."""
    close = difflib.get_close_matches(name, known, n=3, cutoff=0.6)
    close += [each for each in known if each.lower() == name.lower() and each not in close]
    if close:
        return f"close to it: {', '.join(close)}"
    shown = list(known)[:8]
    more = f" and {len(known) - 8} more" if len(known) > 8 else ""
    return f"it has {', '.join(shown)}{more}" if shown else "it has none"
