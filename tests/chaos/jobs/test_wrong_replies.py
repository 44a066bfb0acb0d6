"""Have a real server's model answer wrongly a hundred times: no row of such an answer counts."""

import random
from pathlib import Path

import pytest

from cli.stack.triton import LocalTriton
from flows.errors import BudgetExceeded
from flows.scoring import score_shard
from inference.errors import ContractViolation
from tests.chaos.checker import inspect
from tests.chaos.jobs.lake import Lake, write_lake
from tests.chaos.jobs.scoring import MICROBATCH_ROWS, SHARD_ROWS, WITNESS, ask, connected, score
from tests.chaos.jobs.witness import Witness
from tests.chaos.objects import Found, read_folder
from tests.chaos.seeds import Chaos

pytestmark = [pytest.mark.triton, pytest.mark.chaos]

SHARDS, MICROBATCHES = 20, 100
"""Of the whole job."""
WRONG_COUNTS = ("short", "long", "empty")
"""Answers with a row too few, a row too many, and no row."""
ROWS = SHARDS * SHARD_ROWS


@pytest.fixture(scope="module")
def lake_root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("data") / "lake"


@pytest.fixture(scope="module")
def lake(lake_root: Path) -> Lake:
    """A hundred microbatches."""
    return write_lake(lake_root, files=1, rows=ROWS, group_rows=SHARD_ROWS)


def objects(output: Path) -> dict[str, Found]:
    """Take every object; the lock of a scratch folder is none."""
    found = read_folder(output)
    return {key: one for key, one in found.items() if not key.endswith(".lock")}


async def test_answers_with_a_wrong_number_of_rows(
    witnessed: LocalTriton,
    witness: Witness,
    lake_root: Path,
    lake: Lake,
    chaos: Chaos,
    tmp_path: Path,
) -> None:
    """Each ends its attempt at the shard, whichever microbatch it answers; nothing is committed."""
    chance, replies = chaos.random(), chaos.count(MICROBATCHES, sample=8)
    start, expected = witness.mark(), lake.expected()
    job = ask(lake_root, str(tmp_path / "scores"))
    async with connected(witnessed.grpc_url) as bench:
        plan = bench.plan(job, WITNESS)
        shared = bench.open(job, WITNESS, plan)
        for number in range(replies):
            shard = plan.shards[number % SHARDS]
            row = shard.row_start + chance.randrange(SHARD_ROWS)
            witness.order(fault=WRONG_COUNTS[number % len(WRONG_COUNTS)], rows=[row])
            with pytest.raises(ContractViolation):
                await score_shard(shared, shard, attempt=number)
        wrong = sum(noted.fault != "-" for noted in witness.noted(start))
        assert wrong >= replies
        left = inspect(objects(tmp_path / "scores"), expected)
        assert (left.state, left.is_clean) == ("nothing", True), left
        witness.order()
        await score(bench, job)
    whole = inspect(objects(tmp_path / "scores"), expected)
    assert (whole.state, whole.leftovers, whole.is_clean) == ("published", (), True), whole
    chaos.tell(f"{wrong} answers with a wrong number of rows: 0 rows committed of them")


def spoilt(chance: random.Random, microbatches: int) -> list[int]:
    """Draw one to three rows of each of so many microbatches."""
    return [
        MICROBATCH_ROWS * number + place
        for number in chance.sample(range(MICROBATCHES), microbatches)
        for place in chance.sample(range(MICROBATCH_ROWS), chance.randint(1, 3))
    ]


@pytest.mark.parametrize("fault", ["nan", "infinite"])
async def test_answers_that_are_not_finite(
    fault: str,
    witnessed: LocalTriton,
    witness: Witness,
    lake_root: Path,
    lake: Lake,
    chaos: Chaos,
    tmp_path: Path,
) -> None:
    """Forbidden, they end the job; allowed for, just their rows are set aside, none is scored."""
    count = chaos.count(MICROBATCHES, sample=8)
    rows = spoilt(chaos.random(), count)
    start, expected = witness.mark(), lake.expected(also_bad=rows)
    witness.order(fault=fault, rows=rows)
    async with connected(witnessed.grpc_url) as bench:
        with pytest.raises(BudgetExceeded):
            await score(bench, ask(lake_root, str(tmp_path / "strict")))
        strict = inspect(objects(tmp_path / "strict"), expected)
        assert strict.is_clean, strict
        assert not {row // SHARD_ROWS for row in rows} & strict.shards
        asked = witness.mark()
        await score(bench, ask(lake_root, str(tmp_path / "scores"), max_quarantined_rows=len(rows)))
    whole = inspect(objects(tmp_path / "scores"), expected)
    assert (whole.state, whole.leftovers, whole.is_clean) == ("published", (), True), whole
    wrong = sum(noted.fault != "-" for noted in witness.noted(asked))
    assert wrong >= count
    chaos.tell(
        f"{wrong} answers with {fault} in {len(rows)} rows: 0 of them committed, all set aside; "
        f"{sum(noted.fault != '-' for noted in witness.noted(start, asked))} more end a strict job"
    )
