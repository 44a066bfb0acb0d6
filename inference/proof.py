"""Tell rows that a model refuses from a model that refuses everything."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Protocol

from inference.errors import MicrobatchTooLarge, RequestRejected, ServerFault
from inference.tensors import InferAnswer, InferRequest

_DOUBTED_ROWS = 32
"""Rows refused one after the other before it is asked whether the model answers at all: enough
for a cluster of bad rows, few enough requests to find out."""


class Answers(Protocol):
    """What this module asks of a pool."""

    async def infer(self, request: InferRequest) -> InferAnswer:
        """Run one request; raises `InferenceError`."""
        ...


@dataclass(slots=True)
class Proof:
    """What a job has seen of its model; one for all microbatches of the job."""

    row: InferRequest | None = None
    """A row that the model has answered, to be asked again when many others are refused."""
    refused: int = 0
    """Rows refused by themselves since the last answer."""

    def answered(self, request: InferRequest) -> None:
        """Note that a request was answered."""
        self.refused = 0
        if self.row is None:
            first = request.rows_between(0, 1)
            inputs = {name: array.copy() for name, array in first.inputs.items()}
            self.row = replace(first, inputs=inputs, buffer=None)

    async def is_lost(self, pool: Answers, request: InferRequest, *, refused: int) -> bool:
        """Count a row that was refused by itself; say whether it is the model that is at fault.

        `request` is its microbatch, `refused` how many rows of that were refused. When a good
        many were refused, a row is asked for that the model answered before in this job, or,
        where there is none, a row from the middle and the last one. Raises what `pool.infer`
        raises but for refusals.
        """
        self.refused += 1
        all_refused = self.row is None and refused >= max(request.rows, 2)
        if self.refused < _DOUBTED_ROWS and not all_refused:
            return False
        self.refused = 0
        return not await self._answers(pool, self._witnesses(request))

    def advice(self) -> str:
        """Say what to do about a model that is lost."""
        if self.row is not None:
            return (
                "so it says of a row that it answered before: the model or its server is broken, "
                "mend it and run the job again"
            )
        return (
            "it has answered no row of this job, nor one from the middle and the end of the "
            "microbatch: see the server's log; if the model is well, take the rows that it "
            "refuses out of the input, or move them behind good ones"
        )

    def _witnesses(self, request: InferRequest) -> Iterable[InferRequest]:
        if self.row is not None:
            return (self.row,)
        rows = dict.fromkeys((request.rows // 2, request.rows - 1))
        return [request.rows_between(row, row + 1) for row in rows]

    async def _answers(self, pool: Answers, witnesses: Iterable[InferRequest]) -> bool:
        for witness in witnesses:
            try:
                await pool.infer(witness)
            except (MicrobatchTooLarge, RequestRejected, ServerFault):
                continue
            self.answered(witness)
            return True
        return False
