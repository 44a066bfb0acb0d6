"""Create things with the answer that tells of them in one transaction."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import TypeVar

from registry.answers import Claim, Earlier, KeptAnswer
from registry.catalog import Catalog, utc_now
from registry.fleet import Fleet
from registry.port import Rows, Store

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Rules:
    """The registry's rules within one transaction, which an error ends whole."""

    catalog: Catalog
    """Those of models."""
    fleet: Fleet
    """Those of pools."""


class Creates:
    """Creates that can be repeated: what is made is never there without its answer.

    Whatever dies, a key has an answer exactly if what it tells of was committed. A repetition
    gets that answer, or makes it itself. Every method raises `RegistryUnavailable`.
    """

    def __init__(self, store: Store, *, now: Callable[[], datetime] = utc_now) -> None:
        self._store = store
        self._now = now

    def once(
        self, claim: Claim, make: Callable[[Rules], T], *, answer: Callable[[T], KeptAnswer]
    ) -> T | Earlier:
        """Return what `make` made, kept as `answer` tells it, or the earlier try of the key.

        `make` may do what the rules do and nothing else: it is as if it had not run when the
        transaction fails. Raises what it raises; the key is free then, unless `claim` took it.
        """
        with self._store.writing() as rows:
            earlier = rows.claim_key(claim)
            if earlier is not None:
                return earlier
            within, now = _Within(rows), self._now
            made = make(Rules(Catalog(within, now=now), Fleet(within, now=now)))
            rows.keep_answer(claim, answer(made))
            return made

    def claim(self, claim: Claim) -> Earlier | None:
        """Take the key before work that is not the database's; see `AnswerRows.claim_key`.

        To be repeated during long work, with the time it is then. `once` with the same claim ends
        it, and makes nothing if another try has taken the key meanwhile.
        """
        with self._store.writing() as rows:
            return rows.claim_key(claim)

    def release(self, claim: Claim) -> None:
        """Give a key back that was claimed and has no answer."""
        with self._store.writing() as rows:
            rows.free_key(claim)


class _Within:
    """A store whose transactions are parts of one that is open; see `registry.port.Store`."""

    def __init__(self, rows: Rows) -> None:
        self._rows = rows

    @contextmanager
    def reading(self) -> Iterator[Rows]:
        """See what the open transaction sees."""
        yield self._rows

    @contextmanager
    def writing(self) -> Iterator[Rows]:
        """Change rows, committed with the open transaction."""
        yield self._rows

    def close(self) -> None:
        """Nothing is held."""
