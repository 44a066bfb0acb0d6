"""Find a few quarantined rows of each reason, to show what it looks like."""

from collections.abc import Sequence

import pyarrow as pa
import pyarrow.parquet as pq

from flows.report_data import ExampleRow, QuarantineReason
from flows.shards.column_types import in_words
from flows.shards.manifest import Manifest
from flows.shards.object_store import ObjectStore

EXAMPLES = 5
"""Rows shown of each reason: enough to see the pattern."""
REASONS = 20
"""Reasons shown; the rest is counted only."""
_OBJECTS = 32
"""Quarantine objects looked at: a reason that is in none of them is shown without a row."""
_VALUES = 12
"""Columns shown of a row."""
_ORIGIN = ("_source_file", "_row", "_stage", "_reason", "_detail")


def quarantine_reasons(
    store: ObjectStore, manifest: Manifest, *, first_columns: Sequence[str]
) -> tuple[QuarantineReason, ...]:
    """Return the most frequent reasons with some of their rows, most frequent first.

    `first_columns` are shown before a row's other columns.
    """
    wanted = dict(list(manifest.reasons.items())[:REASONS])
    stages: dict[str, str] = {}
    examples: dict[str, list[ExampleRow]] = {reason: [] for reason in wanted}
    objects = [part.quarantine for part in manifest.parts if part.quarantine is not None]
    for key in objects[:_OBJECTS]:
        if all(len(found) >= EXAMPLES for found in examples.values()):
            break
        with store.open(key) as source:
            _look(pq.ParquetFile(source), examples, stages, first_columns)
    return tuple(
        QuarantineReason(reason, stages.get(reason, ""), rows, tuple(examples[reason]))
        for reason, rows in wanted.items()
    )


def _look(
    file: pq.ParquetFile,
    examples: dict[str, list[ExampleRow]],
    stages: dict[str, str],
    first_columns: Sequence[str],
) -> None:
    """Add rows of `file` to the reasons that have too few."""
    # The names of the last six columns, whatever was put in front of them to keep them apart.
    names = dict(zip(_ORIGIN, _origin_names(file.schema_arrow), strict=True))
    for batch in file.iter_batches(4096):
        reasons = batch.column(names["_reason"]).to_pylist()
        for row, reason in enumerate(reasons):
            found = examples.get(reason)
            if found is None or len(found) >= EXAMPLES:
                continue
            told = {name: batch.column(name)[row] for name in batch.schema.names}
            stages[reason] = told[names["_stage"]].as_py()
            found.append(_example(told, names, first_columns))


def _origin_names(schema: pa.Schema) -> list[str]:
    source, _group, row, stage, reason, detail = schema.names[-6:]
    return [source, row, stage, reason, detail]


def _example(
    told: dict[str, pa.Scalar], names: dict[str, str], first_columns: Sequence[str]
) -> ExampleRow:
    origin = list(told)[-6:]
    columns = [*first_columns, *(name for name in told if name not in first_columns)]
    shown = [name for name in columns if name in told and name not in origin][:_VALUES]
    return ExampleRow(
        file=told[names["_source_file"]].as_py(),
        row=told[names["_row"]].as_py(),
        detail=told[names["_detail"]].as_py(),
        values={name: _text(told[name]) for name in shown},
    )


def _text(value: pa.Scalar) -> str:
    text = in_words(value) if value.is_valid else "null"
    return text if len(text) <= 60 else f"{text[:59]}…"
