"""Clusters of refused rows, and models that refuse everything."""

import numpy as np
import pytest

from inference import errors
from inference.microbatch import RowsAnswer
from inference.proof import Proof
from tests.inference.test_microbatch import POISON, Doubles, score, y

GOOD = [1.0, 2.0, 3.0, 4.0]


async def test_a_cluster_at_the_head_of_the_first_microbatch_is_set_aside() -> None:
    """A row from the middle and the last one are asked for; one of them is answered."""
    for good in (360, 1):
        answer = await score([POISON] * 400 + [1.0] * good)
        assert (len(answer.rejected), y(answer)) == (400, [2.0] * good)


async def test_a_microbatch_that_is_refused_whole_is_the_rows_doing_once_any_was_answered() -> None:
    """Sorted data: microbatch after microbatch of bad rows, as many as the budget allows."""
    pool, proof = Doubles(), Proof()
    await score(GOOD, pool=pool, proof=proof)
    answers = [await score([POISON] * 100, pool=pool, proof=proof) for _ in range(3)]
    assert [len(answer.rejected) for answer in answers] == [100] * 3
    asked_again = sum(rows == 1 for rows in pool.sent) - 300
    assert asked_again == 300 // 32


async def test_a_model_that_breaks_in_the_middle_of_a_job_is_not_taken_for_bad_rows() -> None:
    """The row that it answered before is refused as well: nothing of the microbatch counts."""
    pool, proof = Doubles(), Proof()
    await score(GOOD, pool=pool, proof=proof)
    pool.broken = errors.ServerFault("CUDA error: unspecified", server="s")
    with pytest.raises(errors.ServerFault, match=r"a row that it answered before.*mend it"):
        await score([1.0] * 1000, pool=pool, proof=proof)
    assert len(pool.sent) < 100


async def test_a_model_that_answers_nothing_says_what_to_do() -> None:
    """Its own words, then the server's log and the rows."""
    pool = Doubles()
    pool.broken = errors.RequestRejected("wrong input", server="s")
    with pytest.raises(
        errors.RequestRejected, match=r"^wrong input; it has answered no row .* server's log"
    ) as caught:
        await score([1.0] * 1000, pool=pool, max_rejected=0)
    assert caught.value.server == "s"


async def test_the_row_that_is_kept_is_a_copy() -> None:
    """The buffer of its microbatch is lent to others meanwhile."""
    pool, proof = Doubles(), Proof()
    answer: RowsAnswer = await score(GOOD, pool=pool, proof=proof)
    assert answer.rejected == ()
    assert proof.row is not None
    kept = proof.row.inputs["x"]
    assert (proof.row.rows, proof.row.buffer, kept.tolist()) == (1, None, [[1.0]])
    assert kept.base is None or not np.shares_memory(kept, answer.outputs["y"])
