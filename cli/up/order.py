"""Say what may start when, in which order servers are stopped. Pure."""

from collections.abc import Collection, Iterator, Mapping, Sequence

API, PREFECT, POSTGRES, REDIS, S3 = "API", "Prefect", "PostgreSQL", "Redis", "S3"
TRITONS = ("Triton 1", "Triton 2")
SCHEMA, BUCKET, POOL, DEPLOYMENTS = "schema", "bucket", "work pool", "deployments"
"""What is made between one server and the next; no server of its own."""


def worker_names(count: int) -> tuple[str, ...]:
    """Return the workers' names."""
    return tuple(f"worker {number}" for number in range(1, count + 1))


def needs(workers: Sequence[str]) -> dict[str, frozenset[str]]:
    """Return each server and step with what must be ready before it starts.

    The API starts before the Tritons are ready, and says that it is ready when they are.
    """
    base: dict[str, frozenset[str]] = {
        name: frozenset() for name in (POSTGRES, PREFECT, *TRITONS, S3, REDIS)
    }
    steps = {
        SCHEMA: frozenset({POSTGRES}),
        BUCKET: frozenset({S3}),
        POOL: frozenset({PREFECT}),
        DEPLOYMENTS: frozenset({POOL}),
        API: frozenset({SCHEMA, REDIS}),
    }
    return base | steps | {worker: frozenset({POOL}) for worker in workers}


def stop_order(workers: Sequence[str]) -> tuple[tuple[str, ...], ...]:
    """Return groups of servers, the first one to stop first; those of a group go together.

    The API first, so that nothing new is asked for; then the workers; Prefect when they have told
    it how their runs ended; then what all of them used.
    """
    return (API,), tuple(workers), (PREFECT,), (*TRITONS, S3, REDIS, POSTGRES)


class Waiting:
    """Which servers and steps may start next."""

    def __init__(self, needs: Mapping[str, Collection[str]]) -> None:
        self._needs = dict(needs)
        self._ready: set[str] = set()

    def next(self) -> Iterator[str]:
        """Give what may start now; each is given once."""
        free = [name for name, needed in self._needs.items() if self._ready.issuperset(needed)]
        for name in free:
            del self._needs[name]
            yield name

    def done(self, name: str) -> None:
        """Note that it is ready."""
        self._ready.add(name)
