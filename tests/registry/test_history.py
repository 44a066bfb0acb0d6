"""Check by random work that the registry, its cache and its history always agree."""

from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory

import hypothesis
import pytest
from hypothesis import settings
from hypothesis.stateful import run_state_machine_as_test

from cli.stack.redis import LocalRedis
from tests.chaos.seeds import Chaos
from tests.registry.places import InMemory, OnServers, Place, on_sqlite
from tests.registry.work import Work


def _work(chaos: Chaos, place: Callable[[], Place], *, examples: int, steps: int) -> None:
    class WorkThere(Work):
        opened = staticmethod(place)

    work = hypothesis.seed(chaos.seed)(WorkThere)
    limits = settings(max_examples=examples, stateful_step_count=steps)
    run_state_machine_as_test(work, settings=limits)
    chaos.tell(f"{examples} histories of up to {steps} steps")


@pytest.mark.chaos
def test_the_registry_agrees_with_itself(chaos: Chaos) -> None:
    """Catalog, cache and history in memory, through any work."""
    _work(chaos, InMemory, examples=chaos.count(1500, sample=25), steps=40)


@pytest.mark.chaos
def test_the_registry_agrees_with_itself_on_sqlite(chaos: Chaos) -> None:
    """The same on a real database."""
    with TemporaryDirectory() as folder:
        _work(chaos, on_sqlite(Path(folder)), examples=chaos.count(200, sample=2), steps=30)


@pytest.mark.chaos
def test_the_registry_agrees_with_itself_on_servers(
    postgres_url: str, redis_server: LocalRedis, chaos: Chaos
) -> None:
    """The same on PostgreSQL with a Redis, whose time passes."""

    def flush() -> None:
        assert redis_server.ask(b"FLUSHALL") == b"+OK\r\n"

    def place() -> Place:
        return OnServers(postgres_url, redis_server.url, flush)

    examples, steps = chaos.count(40, sample=1), 30 if chaos.scale else 15
    _work(chaos, place, examples=examples, steps=steps)
