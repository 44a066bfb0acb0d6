"""Spoil what passes between a job and its S3 server: no commit is lost, none is taken for lost."""

import random
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest

from tests.chaos import scorer
from tests.chaos.checker import inspect
from tests.chaos.oracle import expected
from tests.chaos.places import Place
from tests.chaos.scorer import SHARDS, Order, Outcome
from tests.chaos.seeds import Chaos
from tests.faults.proxy import DROPPED_ANSWER, LOST_REQUEST, Fault, FaultProxy, Rule

pytestmark = [
    pytest.mark.chaos,
    pytest.mark.parametrize("place", ["s3", "careless"], indirect=True),
]

TRIES = 2
"""Of one request, by the client itself."""
LOST = {
    "dropped": [DROPPED_ANSWER],
    "spoilt": [Fault(answer_share=0.4), Fault(answer_status=500), Fault(answer_status=503)],
}
"""What becomes of the answer to a put that the server has carried out: the connection ends before
the answer or in the middle of it, or the client is told of a failure."""
HASTE_S = 0.5
"""When a job in the storm stops waiting for an answer: less than a late request takes."""
STORM_RUNS = 2
"""Runs of one job in the storm; one more has fair weather."""


@pytest.fixture
def order(place: Place, tmp_path: Path) -> Order:
    """A job with its input, and nothing done."""
    scorer.prepare(tmp_path)
    return Order(place, tmp_path)


@pytest.fixture
def server(place: Place) -> str:
    """Address of the S3 server."""
    assert place.endpoint is not None
    return place.endpoint.url


def check_published(place: Place, *, late: bool = False) -> None:
    """Every row is there once; what late requests leave behind is nothing that a reader takes."""
    verdict = inspect(place.objects(), expected())
    assert (verdict.state, verdict.is_clean) == ("published", True), verdict
    assert [key for key in verdict.leftovers if not (late and key.startswith("_"))] == []


@pytest.mark.parametrize("kind", list(LOST))
def test_the_answer_to_a_commit_is_lost(order: Order, server: str, kind: str, chaos: Chaos) -> None:
    """The part is there and nobody was told: its job knows it for its own and publishes.

    The client asks again by itself and is told that the name is taken, or never hears anything.
    """
    chance, commits = chaos.random(), chaos.count(100, sample=SHARDS)
    seen: Counter[str] = Counter()
    with FaultProxy(server) as proxy:
        for number in range(-(-commits // SHARDS)):
            place = order.place.fresh(number)
            rules = [
                Rule(
                    chance.choice(LOST[kind]),
                    "PUT",
                    rf"/{place.output}/part-{shard:05}",
                    times=chance.randint(1, TRIES),
                )
                for shard in range(SHARDS)
            ]
            proxy.add(*rules)
            settings = {"tries": TRIES}
            outcome = scorer.score(
                replace(order, place=place, through=proxy.url, settings=settings)
            )
            assert outcome == Outcome("published", committed=list(range(SHARDS))), outcome
            check_published(place)
            for rule in rules:
                met = [passage.status for passage in proxy.harmed() if passage.rule is rule]
                assert (met[0], len(met)) == (200, rule.times)
                seen["once" if rule.times == 1 else "at every try"] += 1
    chaos.tell(f"{seen.total()} commits whose answer was {kind}: 0 false failures; {dict(seen)}")


def weather(chance: random.Random) -> Fault:
    """Draw something that happens to a request."""
    share = chance.uniform(0.05, 0.95)
    return chance.choice(
        [
            DROPPED_ANSWER,
            LOST_REQUEST,
            Fault(request_share=share),
            Fault(answer_share=share),
            Fault(request_delay_s=share / 4),
            Fault(request_delay_s=HASTE_S + share),
            Fault(answer_delay_s=share / 4),
            Fault(bytes_per_s=20_000),
            Fault(refuse=503),
            Fault(answer_status=500),
        ]
    )


def storm(chance: random.Random, output: str) -> list[Rule]:
    """Draw what happens to some of a job's requests, of which it has about thirty."""
    return [
        Rule(
            weather(chance),
            chance.choice(["", "PUT", "GET", "HEAD", "DELETE"]),
            f"/{output}/",
            skip=chance.randrange(10),
            times=chance.randint(1, 3),
        )
        for _ in range(4)
    ]


def test_a_storm_on_the_way_to_the_store(order: Order, server: str, chaos: Chaos) -> None:
    """Delayed, cut, throttled, refused, lost and late requests: runs fail, the output is right.

    Requests of a run that has given up may arrive while the next one works, and after it; what
    they leave behind is in nobody's way.
    """
    chance, jobs = chaos.random(), chaos.count(25, sample=1)
    settings = {"tries": TRIES, "read_timeout_s": HASTE_S}
    ends: Counter[str] = Counter()
    with FaultProxy(server) as proxy:
        for number in range(jobs):
            one = replace(order, place=order.place.fresh(number))
            through = replace(one, through=proxy.url, settings=settings)
            for _ in range(STORM_RUNS):
                proxy.add(*storm(chance, one.place.output))
                ends[scorer.score(through).end] += 1
                assert inspect(one.place.objects(), expected()).is_clean
            assert scorer.score(one).end == "published"
            proxy.settle()
            check_published(one.place, late=True)
            assert scorer.score(replace(one, version=2, replace=True)).end == "published"
            check_published(one.place, late=True)
        harmed = len(proxy.harmed())
    assert set(ends) <= {"published", "StoreUnavailable", "AmbiguousPut", "OutputNotWritable"}, ends
    chaos.tell(
        f"{harmed} spoilt requests over {jobs} jobs: runs in the storm {dict(ends)}, "
        "then every output right"
    )
