"""Microbatches with bad rows, and ones that are too large."""

import pickle
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from inference import errors
from inference.microbatch import RejectedRow, RowsAnswer, TooManyRejected, infer_rows
from inference.proof import Proof
from inference.tensors import InferAnswer, InferRequest
from registry.domain import Signature, TensorSpec

SIGNATURE = Signature((TensorSpec("x", "FP32", (-1, 1)),), (TensorSpec("y", "FP32", (-1, 1)),))
POISON = -1.0
BREAKS = -2.0
NAN = -3.0


class Doubles:
    """A pool that doubles numbers, and refuses what a request's rows ask it to refuse."""

    def __init__(self, *, fits: int = 10**9) -> None:
        self.fits = fits
        self.in_time = 10**9
        self.sent: list[int] = []
        self.broken: errors.InferenceError | None = None
        self.distort: Callable[[np.ndarray], np.ndarray] = lambda y: y

    def most_rows(self, model: str, version: str) -> int:
        """Return what is known of the pace."""
        return self.in_time

    async def infer(self, request: InferRequest) -> InferAnswer:
        """Answer `y = 2 x`; NaN where asked."""
        x = request.inputs["x"]
        self.sent.append(request.rows)
        if self.broken is not None:
            raise self.broken
        if request.rows > self.fits:
            raise errors.MicrobatchTooLarge(f"{request.rows} rows")
        if (x == POISON).any():
            raise errors.RequestRejected("poison")
        if (x == BREAKS).any():
            raise errors.ServerFault("broke")
        return InferAnswer({"y": self.distort(np.where(x == NAN, np.nan, x * 2))}, "s")


async def score(
    values: list[float],
    *,
    pool: Doubles | None = None,
    max_rejected: int | None = None,
    allow_non_finite: bool = False,
    signature: Signature = SIGNATURE,
    proof: Proof | None = None,
) -> RowsAnswer:
    """Score one column of numbers."""
    x = np.array(values, dtype=np.float32).reshape(-1, 1)
    return await infer_rows(
        pool or Doubles(),
        InferRequest("m", "1", {"x": x}, ("y",), len(values)),
        signature=signature,
        max_rejected=max_rejected,
        allow_non_finite=allow_non_finite,
        proof=proof or Proof(),
    )


def y(answer: RowsAnswer) -> list[float]:
    """Return the scores."""
    return answer.outputs["y"].ravel().tolist()


async def test_good_rows_take_one_request() -> None:
    """The server's arrays are handed on as they are."""
    pool = Doubles()
    answer = await score([1, 2, 3], pool=pool, max_rejected=0)
    assert (y(answer), answer.rejected) == ([2, 4, 6], ())
    assert pool.sent == [3]


async def test_bad_rows_are_found_and_the_others_scored_in_order() -> None:
    """Refused by the model, broken on and not finite, each with its stage and reason."""
    answer = await score([1, POISON, 2, BREAKS, 3, NAN, 4])
    assert y(answer) == [2, 4, 6, 8]
    assert answer.accepted.tolist() == [True, False, True, False, True, False, True]
    assert answer.rejected == (
        RejectedRow(1, "model", "rejected by the model", "poison"),
        RejectedRow(3, "model", "the model failed on the row", "broke"),
        RejectedRow(5, "answer", "non-finite y", "nan at position 0 of the row"),
    )


async def test_one_bad_row_costs_about_two_requests_per_halving() -> None:
    """4,096 rows: twelve halvings."""
    pool = Doubles()
    await score([1.0] * 3000 + [POISON] + [1.0] * 1095, pool=pool)
    assert len(pool.sent) == 25


async def test_non_finite_answers_pass_when_allowed() -> None:
    """Then NaN is a score like any other."""
    answer = await score([1, NAN], allow_non_finite=True, max_rejected=0)
    assert np.isnan(y(answer)[1])


@pytest.mark.parametrize("bad", [POISON, BREAKS, NAN])
async def test_the_limit_is_what_may_be_rejected(bad: float) -> None:
    """Two of two pass; the third ends it, carrying the rows found so far."""
    assert len((await score([1, bad, bad], max_rejected=2)).rejected) == 2
    with pytest.raises(TooManyRejected, match="more than 2 rows rejected") as caught:
        await score([1, bad, bad, bad, 1], max_rejected=2)
    assert [row.row for row in caught.value.rejected] == [1, 2, 3]


async def test_the_limit_holds_when_the_first_row_is_the_bad_one() -> None:
    """The verdict waits until another row was answered, no longer."""
    pool = Doubles()
    with pytest.raises(TooManyRejected, match="first in row 0"):
        await score([POISON, *[1.0] * 63], pool=pool, max_rejected=0)
    assert len(pool.sent) == 8


async def test_too_many_rejected_survives_pickling() -> None:
    """Errors cross processes."""
    error = TooManyRejected((RejectedRow(1, "model", "r", "d"),), max_rejected=0)
    copy = pickle.loads(pickle.dumps(error))
    assert (str(copy), copy.rejected) == (str(error), error.rejected)


@pytest.mark.parametrize("kind", [errors.RequestRejected, errors.ServerFault])
@pytest.mark.parametrize("rows", [2, 4096])
async def test_rows_are_not_blamed_when_nothing_at_all_is_answered(
    kind: type[errors.InferenceError], rows: int
) -> None:
    """A dead model instance or a wrong input name is not the rows' fault, and is soon seen."""
    pool = Doubles()
    pool.broken = kind("everything fails")
    with pytest.raises(kind, match="everything fails"):
        await score([1.0] * rows, pool=pool, max_rejected=0)
    assert len(pool.sent) <= 90


async def test_a_row_that_is_alone_is_its_own_microbatch() -> None:
    """There is no other row to tell, so it is set aside, or ends a strict job."""
    assert (await score([POISON])).accepted.tolist() == [False]
    with pytest.raises(TooManyRejected):
        await score([POISON], max_rejected=0)


async def test_too_large_is_halved_until_it_fits() -> None:
    """Each size that is too large is tried once."""
    pool = Doubles(fits=300)
    answer = await score([float(i) for i in range(1024)], pool=pool, max_rejected=0)
    assert y(answer) == [2.0 * i for i in range(1024)]
    assert pool.sent == [1024, 512, 256, 256, 256, 256]


async def test_the_models_limit_splits_before_anything_is_sent() -> None:
    """`max_batch_size` 8: 8, 8 and 4 rows."""
    pool = Doubles(fits=8)
    limited = Signature(SIGNATURE.inputs, SIGNATURE.outputs, max_batch_size=8)
    answer = await score([1.0] * 20, pool=pool, signature=limited, max_rejected=0)
    assert (len(y(answer)), pool.sent) == (20, [8, 8, 4])


async def test_no_rows_need_no_request() -> None:
    """Outputs are empty, with the dtype and shape of the signature."""
    pool = Doubles()
    answer = await score([], pool=pool, max_rejected=0)
    assert answer.outputs["y"].shape == (0, 1)
    assert answer.outputs["y"].dtype == np.float32
    assert pool.sent == []


async def test_an_answer_that_breaks_the_contract_ends_it() -> None:
    """Nothing of it may be written, so no row is set aside for it."""
    pool = Doubles()
    pool.distort = lambda y: y[:-1]
    with pytest.raises(errors.ContractViolation, match="1 rows, sent were 2"):
        await score([1, 2], pool=pool)


async def test_transient_errors_are_the_callers() -> None:
    """They say nothing about rows."""
    pool = Doubles()
    pool.broken = errors.PoolUnavailable("all open", retry_after_s=3.0)
    with pytest.raises(errors.PoolUnavailable):
        await score([1, 2], pool=pool)


@given(
    st.lists(st.sampled_from([1.0, 2.0, POISON, BREAKS, NAN]), max_size=30).map(
        lambda v: [5.0, *v]
    ),
    st.integers(1, 8),
    st.sampled_from([0, 3, 8]),
)
async def test_every_row_is_scored_or_rejected_exactly_once(
    values: list[float], fits: int, max_batch_size: int
) -> None:
    """Whatever the rows, sizes and limits: the law of the shard begins here."""
    signature = Signature(SIGNATURE.inputs, SIGNATURE.outputs, max_batch_size)
    answer = await score(values, pool=Doubles(fits=fits), signature=signature)
    good = [value > 0 for value in values]
    assert answer.accepted.tolist() == good
    assert y(answer) == [2 * value for value in values if value > 0]
    assert [row.row for row in answer.rejected] == [i for i, ok in enumerate(good) if not ok]
