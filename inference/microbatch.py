"""Score the rows of one microbatch, setting aside those that the model cannot score."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np

from inference.errors import (
    InferenceError,
    MicrobatchTooLarge,
    RequestRejected,
    ServerFault,
    ServerSlow,
    TransientError,
)
from inference.proof import Answers, Proof
from inference.tensors import (
    Array,
    InferRequest,
    Mask,
    check_answer,
    non_finite_rows,
    numpy_dtype,
)
from registry.domain import Signature

_REASONS: Mapping[type[InferenceError], str] = {
    RequestRejected: "rejected by the model",
    ServerFault: "the model failed on the row",
    MicrobatchTooLarge: "too large for one request",
}


class Infers(Answers, Protocol):
    """What this module asks of a pool."""

    def most_rows(self, model: str, version: str) -> int:
        """Return the most rows of the model that will be answered in time."""
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

    max_rejected: int | None
    """Rows that may be rejected; None for any number."""
    answers: list[Mapping[str, Array]] = field(default_factory=list)
    """Outputs of the accepted rows, in order."""
    rejected: list[RejectedRow] = field(default_factory=list)
    """Rows set aside, in order."""
    fits: float = math.inf
    """Rows that are fewer than those of any piece that was too large."""

    def check_limit(self) -> None:
        """Raise `TooManyRejected` beyond the limit."""
        if self.max_rejected is not None and len(self.rejected) > self.max_rejected:
            raise TooManyRejected(tuple(self.rejected), max_rejected=self.max_rejected)


async def infer_rows(
    pool: Infers,
    request: InferRequest,
    *,
    signature: Signature,
    max_rejected: int | None,
    allow_non_finite: bool,
    proof: Proof,
) -> RowsAnswer:
    """Score a microbatch of any size whose rows may be bad, or too many for one request.

    Pieces go one after the other, split at the model's `max_batch_size` and at what the pool
    expects to be answered in time; a caller who wants more in flight sends several microbatches.
    A piece that is too large or late is halved; one that is refused, or that two tries failed
    on, is halved down to the rows at fault. Rows whose floating-point outputs are not finite are
    set aside unless `allow_non_finite`.

    Raises `TooManyRejected` past `max_rejected` rows, `ContractViolation` for an answer that
    breaks the signature, and the pool's transient errors with the `rows` that were asked for. The
    rows are not taken to be the cause while the model answers nothing, as `proof`, which all
    microbatches of a job share, tells: the refusal itself is raised.
    """
    progress = _Progress(max_rejected)
    step = signature.max_batch_size or max(request.rows, 1)
    starts = range(0, request.rows, step)
    pieces = [(start, min(start + step, request.rows)) for start in reversed(starts)]
    while pieces:
        most = min(pool.most_rows(request.model, request.version), progress.fits)
        start, stop = _next_piece(pieces, most)
        piece = request.rows_between(start, stop)
        try:
            answer = await pool.infer(piece)
        except (MicrobatchTooLarge, RequestRejected, ServerFault) as error:
            if isinstance(error, MicrobatchTooLarge):
                progress.fits = max(piece.rows - 1, 1)
            if piece.rows > 1:
                pieces += _halves(start, stop)
                continue
            progress.rejected.append(RejectedRow(start, "model", _REASONS[type(error)], str(error)))
            await _doubt(progress, error, pool, request, proof)
        except TransientError as error:
            if isinstance(error, ServerSlow) and piece.rows > 1:
                pieces += _halves(start, stop)
                continue
            error.rows = (start, stop)
            raise
        else:
            check_answer(signature, piece.rows, answer.outputs, requested=request.outputs)
            proof.answered(piece)
            _accept(progress, start, answer.outputs, allow_non_finite=allow_non_finite)
    progress.check_limit()
    return _collect(progress, request, signature)


def _next_piece(pieces: list[tuple[int, int]], most: float) -> tuple[int, int]:
    """Take the next piece, or the first of the few even ones of at most `most` rows in it."""
    start, stop = pieces.pop()
    rows = math.ceil((stop - start) / math.ceil((stop - start) / most))
    if start + rows < stop:
        pieces.append((start + rows, stop))
    return start, start + rows


def _halves(start: int, stop: int) -> list[tuple[int, int]]:
    """Return both halves, the first one last, so that it is popped first."""
    middle = (start + stop) // 2
    return [(middle, stop), (start, middle)]


async def _doubt(
    progress: _Progress,
    error: InferenceError,
    pool: Infers,
    request: InferRequest,
    proof: Proof,
) -> None:
    """Raise when it looks as if the model were at fault for the row refused last, or the limit.

    Until any row was answered it may be the model or the server, so the limit waits.
    """
    if await proof.is_lost(pool, request, refused=len(progress.rejected)):
        raise type(error)(f"{error}; {proof.advice()}", server=error.server) from error
    if proof.row is not None:
        progress.check_limit()


def _accept(
    progress: _Progress, start: int, outputs: Mapping[str, Array], *, allow_non_finite: bool
) -> None:
    rows = next(array.shape[0] for array in outputs.values())
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
