"""The order of a platform: nothing starts before what it needs, nothing outlives it."""

import pytest

from cli.up import order


@pytest.mark.parametrize("count", [0, 1, 3])
def test_each_starts_once_when_what_it_needs_is_ready(count: int) -> None:
    """All servers and steps are given once, in rounds that follow what they need."""
    needs = order.needs(order.worker_names(count))
    waiting = order.Waiting(needs)
    rounds = []
    while found := set(waiting.next()):
        rounds.append(found)
        for name in found:
            waiting.done(name)
    workers = set(order.worker_names(count))
    assert rounds == [
        {order.POSTGRES, order.PREFECT, *order.TRITONS, order.S3, order.REDIS},
        {order.SCHEMA, order.BUCKET, order.POOL},
        {order.API, order.DEPLOYMENTS, *workers},
    ]


def test_nothing_is_given_while_what_it_needs_is_starting() -> None:
    """A server that is not ready yet holds back what needs it, and nothing else."""
    waiting = order.Waiting({"first": set(), "other": set(), "second": {"first"}})
    assert set(waiting.next()) == {"first", "other"}
    waiting.done("other")
    assert list(waiting.next()) == []
    waiting.done("first")
    assert list(waiting.next()) == ["second"]


def test_a_server_is_stopped_before_what_it_needs() -> None:
    """The groups hold every server once, each before all that it needs, itself or through steps."""
    workers = order.worker_names(2)
    needs = order.needs(workers)
    groups = order.stop_order(workers)
    place = {name: number for number, group in enumerate(groups) for name in group}
    steps = {order.SCHEMA, order.BUCKET, order.POOL, order.DEPLOYMENTS}
    assert sorted(name for group in groups for name in group) == sorted(needs.keys() - steps)

    def all_needed(name: str) -> set[str]:
        return set(needs[name]).union(*map(all_needed, needs[name]))

    late = [(name, each) for name in place for each in all_needed(name) - steps]
    assert [(name, each) for name, each in late if place[name] >= place[each]] == []
    assert place[order.API] < min(place[worker] for worker in workers)
