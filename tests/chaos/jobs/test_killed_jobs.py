"""Kill jobs' processes, Triton and the S3 server again and again: every row is there once."""

from functools import partial

import pytest

from tests.chaos.jobs.killing import Siege, Toll
from tests.chaos.jobs.site import Site
from tests.chaos.seeds import Chaos
from tests.flows.workplace import PLATFORM_MARKS

pytestmark = [*PLATFORM_MARKS, pytest.mark.chaos]


def besiege(site: Site, chaos: Chaos, kills: int) -> Toll:
    """Run jobs under fire until so many kills have hit."""
    total = Toll()
    while total.kills.total() < kills:
        left = kills - total.kills.total()
        chance = partial(chaos.random, total.jobs)
        siege = Siege(site, f"scores-{total.jobs}", chance=chance)
        siege.run(min(left, chance().randint(2, 6)))
        total.add(siege.toll)
    return total


@pytest.mark.parametrize("site", ["local"], indirect=True)
def test_in_a_folder(site: Site, chaos: Chaos) -> None:
    """SIGKILL of the job and of Triton, at seeded moments and at fail-points."""
    toll = besiege(site, chaos, chaos.count(60, sample=1))
    assert toll.stale == 0
    chaos.tell(str(toll))


@pytest.mark.parametrize(
    "half",
    [1, pytest.param(2, marks=pytest.mark.long_form("the first half with other chances"))],
)
@pytest.mark.parametrize("site", ["s3"], indirect=True)
def test_in_a_bucket(site: Site, half: int, chaos: Chaos) -> None:
    """SIGKILL of the S3 server's front as well; in two halves, each of some minutes."""
    # Chance differs with the test's name.
    toll = besiege(site, chaos, chaos.count(30, sample=1))
    assert toll.stale == 0
    chaos.tell(str(toll))


@pytest.mark.long_form("tests/flows/test_batch_inference.py scores into such a store")
@pytest.mark.parametrize("site", ["careless"], indirect=True)
def test_in_a_bucket_that_ignores_conditions(site: Site, chaos: Chaos) -> None:
    """The rows are right here too; what a manifest says of a part may be of an earlier copy."""
    chaos.tell(str(besiege(site, chaos, chaos.count(30, sample=1))))
