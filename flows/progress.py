"""Count how far a job is."""

import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass

from inference.health import PoolHealth


@dataclass(frozen=True, slots=True)
class Snapshot:
    """How far a job is at one moment."""

    phase: str
    """`resolve`, `plan`, `score`, `publish` or `report`."""
    rows_total: int
    """Rows of the plan; 0 before it is made."""
    rows_done: int
    """Rows read and answered, scored or quarantined, those of earlier runs included."""
    rows_quarantined: int
    """Those of them that could not be scored."""
    shards_total: int
    """Shards of the plan."""
    shards_done: int
    """Shards committed."""
    rate: float
    """Rows per second that this run has scored since scoring began."""
    eta_s: float | None
    """Seconds that the rest takes at this rate; None when it cannot be told."""
    health: PoolHealth | None
    """The pool, once it was asked."""


Observer = Callable[[Snapshot], None]
_observer: ContextVar[Observer | None] = ContextVar("nightshift_progress", default=None)


@contextmanager
def observed_by(observer: Observer) -> Iterator[None]:
    """Have jobs that run inside this block report their progress to `observer`."""
    token = _observer.set(observer)
    try:
        yield
    finally:
        _observer.reset(token)


def current_observer() -> Observer | None:
    """Return whom jobs started here report to."""
    return _observer.get()


class JobProgress:
    """The counters behind `Snapshot`; changed from one event loop only."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._phase = "resolve"
        self._entered: dict[str, float] = {"resolve": clock()}
        self._totals = (0, 0)
        self._adopted = 0
        self._running: dict[int, tuple[int, int]] = {}
        self._elsewhere = (0, 0)
        self._rows = 0
        self._quarantined = 0
        self._shards = 0
        self._spent: Counter[str] = Counter()
        self._worked: Counter[str] = Counter()
        self.health: Callable[[], PoolHealth] | None = None
        """Tells of the pool, once there is one."""
        self.entered: Callable[[], None] | None = None
        """Called when a phase has begun."""

    def enter(self, phase: str) -> None:
        """Say which phase begins."""
        self._phase = phase
        self._entered[phase] = self._clock()
        if self.entered is not None:
            self.entered()

    def seconds(self) -> dict[str, float]:
        """Return how long each phase took, the present one up to now."""
        stops = [*list(self._entered.values())[1:], self._clock()]
        return {
            phase: stop - start
            for (phase, start), stop in zip(self._entered.items(), stops, strict=True)
        }

    def planned(self, *, rows: int, shards: int) -> None:
        """Say how much there is."""
        self._totals = (rows, shards)

    def adopted(self, *, rows: int, quarantined: int) -> None:
        """Count a shard that an earlier run committed."""
        self._adopted += rows
        self._rows += rows
        self._quarantined += quarantined
        self._shards += 1

    def advanced(self, shard: int, *, rows: int, quarantined: int) -> None:
        """Count rows of a shard that is being scored."""
        before = self._running.get(shard, (0, 0))
        self._running[shard] = (before[0] + rows, before[1] + quarantined)
        self._rows += rows
        self._quarantined += quarantined

    def restarted(self, shard: int) -> None:
        """Take back the rows of a shard whose attempt did not end in a commit."""
        rows, quarantined = self._running.pop(shard, (0, 0))
        self._rows -= rows
        self._quarantined -= quarantined

    def elsewhere(self, *, rows: int, quarantined: int) -> None:
        """Say how many rows other processes have scored of shards that are not committed yet."""
        self._elsewhere = (rows, quarantined)

    @property
    def under_way(self) -> tuple[int, int]:
        """Rows of the shards that are being scored in this process, and the quarantined ones."""
        counts = self._running.values()
        return sum(rows for rows, _ in counts), sum(bad for _, bad in counts)

    def committed(self, shard: int) -> None:
        """Count a shard as done."""
        self._running.pop(shard, None)
        self._shards += 1

    def spent(self, stages: Mapping[str, float], worked: Mapping[str, float] | None = None) -> None:
        """Count the seconds of each stage that a shard took.

        `worked` are processor seconds; those of another machine's cores are not counted.
        """
        self._spent.update(stages)
        self._worked.update(worked or {})

    @property
    def stages(self) -> Mapping[str, float]:
        """Seconds of each stage, over the shards that this run scored."""
        return dict(self._spent)

    @property
    def worked(self) -> Mapping[str, float]:
        """Processor seconds of each stage that is work of this process's threads."""
        return dict(self._worked)

    def snapshot(self) -> Snapshot:
        """Return where the job is now."""
        elapsed = self.seconds().get("score", 0.0)
        rows = self._rows + self._elsewhere[0]
        rate = (rows - self._adopted) / elapsed if elapsed > 0 else 0.0
        rows_total, shards_total = self._totals
        return Snapshot(
            phase=self._phase,
            rows_total=rows_total,
            rows_done=rows,
            rows_quarantined=self._quarantined + self._elsewhere[1],
            shards_total=shards_total,
            shards_done=self._shards,
            rate=rate,
            eta_s=(rows_total - rows) / rate if rate > 0 else None,
            health=self.health() if self.health is not None else None,
        )
