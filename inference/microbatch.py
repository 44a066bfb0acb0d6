"""Score the rows of one microbatch, setting aside those that the model cannot score."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np

from inference.errors import (
    InferenceError,
    MicrobatchTooLarge,
    RequestRejected,
    ServerFault,
)
from inference.tensors import (
    Array,
    InferAnswer,
    InferRequest,
    Mask,
    check_answer,
    non_finite_rows,
    numpy_dtype,
)
from registry.domain import Signature

_UNPROVEN_ROWS = 32
"""Rows refused before any row was answered, after which the model or server is suspected
instead: enough for a cluster of bad rows, few enough requests to find out."""
_REASONS: Mapping[type[InferenceError], str] = {
    RequestRejected: "rejected by the model",
    ServerFault: "the model failed on the row",
    MicrobatchTooLarge: "too large for one request",
}


class Infers(Protocol):
    """What this module asks of a pool."""

    async def infer(self, request: InferRequest) -> InferAnswer:
        """Run one request; raises `InferenceError`."""
        ...


@dataclass(frozen=True, slots=True)
class RejectedRow:
    """A row that the model could not score."""

    row: int
    """Position in the microbatch."""
    stage: str
    """`model` when the server refused it, `answer` when its answer cannot be used."""
    reason: str
    """Short and the same for the same cause."""
    detail: str
    """The server's own words, or the value at fault."""


class TooManyRejected(InferenceError):
    """More rows were rejected than the caller allows; nothing of the microbatch counts."""

    def __init__(self, rejected: tuple[RejectedRow, ...], *, max_rejected: int) -> None:
        first = rejected[0]
        super().__init__(
            f"more than {max_rejected} rows rejected, the first in row {first.row} of its "
            f"microbatch: {first.reason} ({first.detail})"
        )
        self.rejected = rejected
        """The rows rejected so far, in order."""
        self.max_rejected = max_rejected
        """Rows that might have been rejected."""

    def __reduce__(self) -> tuple[object, ...]:
        return (_rebuild, (self.rejected, self.max_rejected))


def _rebuild(rejected: tuple[RejectedRow, ...], max_rejected: int) -> TooManyRejected:
    return TooManyRejected(rejected, max_rejected=max_rejected)


@dataclass(frozen=True, slots=True)
class RowsAnswer:
    """What became of the rows of one microbatch."""

    outputs: Mapping[str, Array]
    """Checked outputs of the accepted rows, in order."""
    accepted: Mask
    """bool[rows]: True where the row was scored."""
    rejected: tuple[RejectedRow, ...]
    """The other rows, in order."""


@dataclass(slots=True)
class _Progress:
    """What is known of the microbatch while it is worked through."""

    rows: int
    """Rows of the microbatch."""
    max_rejected: int | None
    """Rows that may be rejected; None for any number."""
    answers: list[Mapping[str, Array]] = field(default_factory=list)
    """Outputs of the accepted rows, in order."""
    rejected: list[RejectedRow] = field(default_factory=list)
    """Rows set aside, in order."""
    proven: bool = False
    """Whether any row was answered."""
    too_large: int | None = None
    """Rows of the smallest piece that was too large."""

    def check_limit(self) -> None:
        """Raise `TooManyRejected` beyond the limit."""
        if self.max_rejected is not None and len(self.rejected) > self.max_rejected:
            raise TooManyRejected(tuple(self.rejected), max_rejected=self.max_rejected)

    def refused(self, row: RejectedRow, error: InferenceError) -> None:
        """Set aside a row that was refused by itself.

        Until some other row was answered it may be the model or the server that is at fault,
        so the limit waits; raises `error` when that is what it looks like.
        """
        self.rejected.append(row)
        if self.proven:
            self.check_limit()
        elif len(self.rejected) >= min(_UNPROVEN_ROWS, max(self.rows, 2)):
            raise error


async def infer_rows(
    pool: Infers,
    request: InferRequest,
    *,
    signature: Signature,
    max_rejected: int | None,
    allow_non_finite: bool,
) -> RowsAnswer:
    """Score a microbatch of any size whose rows may be bad, or too many for one request.

    Pieces go one after the other, split at the model's `max_batch_size`; a caller who wants
    more in flight sends several microbatches. A piece that is too large is halved; one that
    is refused, or that two tries failed on, is halved down to the rows at fault. Rows whose
    floating-point outputs are not finite are set aside unless `allow_non_finite`.

    Raises `TooManyRejected` past `max_rejected` rows, `ContractViolation` for an answer that
    breaks the signature, and the pool's transient errors. When nothing at all is answered the
    rows are not taken to be the cause: the refusal itself is raised.
    """
    progress = _Progress(request.rows, max_rejected)
    step = signature.max_batch_size or max(request.rows, 1)
    starts = range(0, request.rows, step)
    pieces = [(start, min(start + step, request.rows)) for start in reversed(starts)]
    while pieces:
        start, stop = pieces.pop()
        if progress.too_large is not None and stop - start >= max(progress.too_large, 2):
            pieces += _halves(start, stop)
            continue
        try:
            answer = await pool.infer(request.rows_between(start, stop))
        except (MicrobatchTooLarge, RequestRejected, ServerFault) as error:
            if isinstance(error, MicrobatchTooLarge):
                progress.too_large = stop - start
            if stop - start > 1:
                pieces += _halves(start, stop)
                continue
            row = RejectedRow(start, "model", _REASONS[type(error)], str(error))
            progress.refused(row, error)
        else:
            check_answer(signature, stop - start, answer.outputs, requested=request.outputs)
            _accept(progress, start, answer.outputs, allow_non_finite=allow_non_finite)
    progress.check_limit()
    return _collect(progress, request, signature)


def _halves(start: int, stop: int) -> list[tuple[int, int]]:
    """Return both halves, the first one last, so that it is popped first."""
    middle = (start + stop) // 2
    return [(middle, stop), (start, middle)]


def _accept(
    progress: _Progress, start: int, outputs: Mapping[str, Array], *, allow_non_finite: bool
) -> None:
    rows = next(array.shape[0] for array in outputs.values())
    progress.proven = True
    bad = np.zeros(rows, dtype=np.bool_) if allow_non_finite else non_finite_rows(outputs)
    if not bad.any():
        progress.answers.append(outputs)
        progress.check_limit()
        return
    for row in np.flatnonzero(bad).tolist():
        progress.rejected.append(_non_finite(start, row, outputs))
        progress.check_limit()
    progress.answers.append({name: array[~bad] for name, array in outputs.items()})


def _non_finite(start: int, row: int, outputs: Mapping[str, Array]) -> RejectedRow:
    for name, array in outputs.items():
        if not np.issubdtype(array.dtype, np.floating):
            continue
        values = array[row].ravel()
        bad = np.flatnonzero(~np.isfinite(values.astype(values.dtype, copy=False)))
        if bad.size:
            detail = f"{values[bad[0]]} at position {bad[0]} of the row"
            return RejectedRow(start + row, "answer", f"non-finite {name}", detail)
    raise AssertionError(f"row {row} is finite")


def _collect(progress: _Progress, request: InferRequest, signature: Signature) -> RowsAnswer:
    accepted = np.ones(request.rows, dtype=np.bool_)
    accepted[[row.row for row in progress.rejected]] = False
    names = request.outputs or tuple(spec.name for spec in signature.outputs)
    return RowsAnswer(
        outputs={name: _joined(name, progress.answers, signature) for name in names},
        accepted=accepted,
        rejected=tuple(progress.rejected),
    )


def _joined(name: str, answers: list[Mapping[str, Array]], signature: Signature) -> Array:
    if len(answers) == 1:
        return answers[0][name]
    if answers:
        return np.concatenate([answer[name] for answer in answers])
    spec = signature.output(name)
    shape = (0, *(max(size, 0) for size in spec.row_shape))
    return np.empty(shape, dtype=numpy_dtype(spec.datatype))
