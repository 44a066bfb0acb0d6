"""Have a group of encoded rows answered by the pool."""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from flows.microbatches import Group
from flows.scoring_job import ScoringJob
from flows.shards.assemble import assemble, narrow
from flows.shards.encode import Rejection
from flows.shards.types import QuarantinedRow, Shard
from inference.errors import TransientError
from inference.microbatch import RowsAnswer, TooManyRejected, infer_rows
from inference.shared_memory import Buffer
from inference.tensors import InferRequest

_AFTER_CALLERS = 2
"""Triton's priority: behind online requests, which have 1, where a model has levels of it."""


@dataclass(frozen=True, slots=True)
class GroupAnswer:
    """What became of the rows of a group."""

    columns: pa.RecordBatch
    """The scored rows, in the part's schema and the group's order."""
    positions: np.ndarray
    """int64[rows of columns]: where each stands in its microbatch."""
    quarantined: tuple[QuarantinedRow, ...]
    """The other rows."""


async def answer_group(
    job: ScoringJob, shard: Shard, group: Group, *, row_start: int, buffer: Buffer
) -> GroupAnswer:
    """Score a group whose microbatch begins at row `row_start` of the file.

    `buffer` is where its inputs lie. Raises `BudgetExceeded` when more rows are rejected than the
    job may still quarantine, and the errors of `infer_rows`.
    """
    encoded = group.encoded
    rejected = _quarantined(encoded.rejected, "encode", group.rows + row_start)
    if encoded.rows == 0:
        nothing = pa.RecordBatch.from_pylist([], schema=job.mapping.output_schema)
        return GroupAnswer(nothing, group.rows[:0], tuple(rejected))
    answer = await _infer(job, shard, group, row_start, buffer)
    accepted = narrow(encoded.accepted, answer.accepted)
    sent = np.flatnonzero(encoded.accepted)
    places = group.rows[sent[np.array([row.row for row in answer.rejected], np.int64)]].tolist()
    rejected += [
        QuarantinedRow(place + row_start, row.stage, row.reason, row.detail)
        for row, place in zip(answer.rejected, places, strict=True)
    ]
    part = assemble(group.source, accepted, shard.file.partitions, answer.outputs, job.mapping)
    rejected += _quarantined(part.rejected, "answer", group.rows + row_start)
    return GroupAnswer(part.columns, group.rows[part.accepted], tuple(rejected))


async def _infer(
    job: ScoringJob, shard: Shard, group: Group, row_start: int, buffer: Buffer
) -> RowsAnswer:
    encoded, model = group.encoded, job.model
    request = InferRequest(
        model=model.served_name,
        version=model.served_version,
        inputs=encoded.inputs,
        outputs=tuple(output.spec.name for output in job.mapping.outputs),
        rows=encoded.rows,
        request_id=f"{job.fingerprint.short}/{shard.index}",
        priority=_AFTER_CALLERS,
        datatypes={
            encoder.spec.name: "BF16"
            for encoder in job.mapping.encoders
            if encoder.spec.datatype == "BF16"
        },
        buffer=buffer,
    )
    try:
        return await infer_rows(
            job.pool,
            request,
            signature=model.signature,
            max_rejected=job.budget.remaining,
            allow_non_finite=job.allow_non_finite,
            proof=job.proof,
        )
    except TooManyRejected as error:
        raise job.budget.exceeded(row.reason for row in error.rejected) from error
    except TransientError as error:
        raise _placed(error, shard, group, row_start) from error


def _placed(error: TransientError, shard: Shard, group: Group, row_start: int) -> TransientError:
    """Return the error with the rows of the file that were asked for."""
    if error.rows is None:
        return error
    first, last = error.rows[0], error.rows[1] - 1
    rows = group.rows[np.flatnonzero(group.encoded.accepted)] + row_start
    return error.about(f"rows {rows[first]}…{rows[last]} of {shard.file.key}, shard {shard.index}")


def _quarantined(
    rejections: Iterable[Rejection], stage: str, rows: np.ndarray
) -> list[QuarantinedRow]:
    return [
        QuarantinedRow(int(rows[rejection.row]), stage, rejection.reason, rejection.detail)
        for rejection in rejections
    ]
