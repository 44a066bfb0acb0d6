"""Have one shard fail at every try: the job gives it up, says so, and keeps the rest."""

from collections import Counter

import pytest

from tests.chaos.checker import inspect
from tests.chaos.jobs.site import SHARD_ROWS, Site
from tests.chaos.jobs.witness import Noted
from tests.chaos.seeds import Chaos
from tests.flows.workplace import PLATFORM_MARKS

pytestmark = [*PLATFORM_MARKS, pytest.mark.chaos]

ROUNDS, TRIES, REQUEST_TRIES = 2, 3, 3
"""Of a job, of a shard within a round, of a request within a try of its shard."""
MOST_REQUESTS = ROUNDS * TRIES * REQUEST_TRIES
"""Times that one microbatch can be asked for in one run."""


@pytest.mark.parametrize("site", ["local"], indirect=True)
def test_a_poison_shard_is_given_up(site: Site, chaos: Chaos) -> None:
    """Each run of the job ends after so many tries; without the poison the next one completes."""
    poison = chaos.random().randrange(12)
    job, tries = site.job("scores"), list[int]()
    left = inspect(site.read("scores"), site.expected)
    for _ in range(2):
        site.witness.order(fault="unavailable", rows=[poison * SHARD_ROWS + 1])
        mark = site.witness.mark()
        settings = {"rounds": str(ROUNDS), "task_retry_delays_s": "[0.1,0.1]"}
        with site.started(job, None, **settings) as process:
            assert process.wait() == 1
        tries.append(sum(each.fault != "-" for each in site.witness.noted(mark)))
        assert 0 < tries[-1] <= MOST_REQUESTS
        left = inspect(site.read("scores"), site.expected)
        assert left.is_clean, left
        assert poison not in left.shards
    told = site.runner.log.read_text()
    assert f"{12 - len(left.shards)} of 12 shards are not scored yet" in told
    site.witness.order()
    mark = site.witness.mark()
    with site.started(job) as process:
        assert process.wait() == 0
    whole = inspect(site.read("scores"), site.expected)
    assert (whole.state, whole.leftovers, whole.is_clean) == ("published", (), True), whole
    assert not _shards(site.witness.noted(mark)) & left.shards
    chaos.tell(
        f"shard {poison} was asked {tries[0]} and {tries[1]} times in two runs, which ended with "
        f"{len(left.shards)} of 12 shards committed; the run without the poison scored the rest"
    )


def _shards(requests: list[Noted]) -> set[int]:
    return set(Counter(each.first // SHARD_ROWS for each in requests))
