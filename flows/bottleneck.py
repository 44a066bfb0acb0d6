"""Say which stage bounded a run, with the share of that stage's ceiling that the run reached.

A row passes these stages. Some are as many as the settings say, for each shard in flight:

| Stage | Its seconds | How many at the same time |
|---|---|---|
| `read` | reading and decoding the file | a thread for each shard |
| `encode` | making tensors, in the same thread | the same threads |
| `transfer` | waiting for an answer, less the time inside the server | requests in flight |
| `queue` | of the time inside the server: waiting for an instance | requests in flight |
| `compute` | of the time inside the server: an instance at work | instances of all servers |
| `write` | appending to the part | a thread for each shard |
| `commit` | publishing the quarantine and the part | a thread for each shard |

The *share* of a stage is its seconds by the seconds that it could have been busy: those of
scoring, times how many there are. Reading and encoding take turns in one thread, so they count
together. The stage with the largest share bounds the run.

A busy thread may wait: for a core that other stages have, for a store. So its share tells of no
rate that it could have reached. A *ceiling* is told where a counter gives one:

1. Threads that were on a core for much of their time: rows times cores by the processor seconds of
   the stage. That is its rate were the cores its own, each row taking as much of them as it did.
2. Instances of the model: rows times instances by the seconds in which the servers say that they
   computed. That is their rate at the pace that they had, on cores that they may share, were they
   never idle. Not told when others asked them as well.
3. Everything else, and slices on workers, whose cores nobody counts: none.

Waiting in the queue bounds nothing: others are being computed meanwhile. Where a server does not
tell, `transfer`, `queue` and `compute` are one stage, `infer`. What servers tell contains what
other clients asked of the same model in the meantime.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from inference.server import ModelStatistics

_UNQUEUED = 2
"""Requests in flight for a shard beside those in its queue of answers: the one whose answer is
awaited, and the one that waits for a place in the queue."""
_WORKERS = {
    "reading": ("read", "encode"),
    "transfer": ("transfer",),
    "compute": ("compute",),
    "infer": ("infer",),
    "writing": ("write",),
    "committing": ("commit",),
}
"""What can bound a run, with the stages that it is busy with."""
_CLEAR_SHARE = 0.6
"""Below this no stage is called a bound: starting up, and cores that stages share, are the rest."""
_SHORTEST_S = 1.0
"""Nothing is said of what bounded less: most of it was starting up."""
_AT_WORK = 0.25
"""Below this share of its time on a core a thread waited for a store. One that waits for cores
alone has more: threads at work are seldom more than four times as many as cores."""
_FASTER = {
    "reading": "more cores, or a faster disk or store",
    "transfer": "Triton on this host, or a faster network",
    "compute": "more instances of the model, or more servers",
    "infer": "more servers, or a faster network",
    "writing": "fewer kept columns, or more cores",
    "committing": "a faster disk or store, or larger shards",
}
"""What makes each faster."""


@dataclass(frozen=True, slots=True)
class StageTime:
    """How long one stage of scoring was busy."""

    name: str
    """`read`, `encode`, `transfer`, `queue`, `compute`, `infer`, `write` or `commit`."""
    busy_s: float
    """Seconds, summed over those that were busy at the same time."""
    workers: int
    """How many could be busy at the same time."""
    processor_s: float = 0.0
    """Seconds of these that they had a core; 0 where they are no threads of this process."""

    def share(self, scoring_s: float) -> float:
        """Return how much of `scoring_s` they were busy, from 0 to 1."""
        return self.busy_s / (self.workers * scoring_s)


@dataclass(frozen=True, slots=True)
class Ceiling:
    """What the stage that bounded a run could have given."""

    rate: float
    """Rows per second."""
    reached: float
    """How much of it was reached, from 0 to 1."""
    cores: int | None
    """The cores that it would have to itself; None for instances of the model, never idle."""


@dataclass(frozen=True, slots=True)
class Bound:
    """The stage that bounded a run."""

    name: str
    """`reading`, `transfer`, `compute`, `infer`, `writing` or `committing`."""
    share: float
    """How much of the time it was busy, from 0 to 1."""
    ceiling: Ceiling | None
    """What it could have given; None where no counter tells."""
    parts: tuple[tuple[str, float], ...]
    """The stages that it consists of, each with its own share."""

    @property
    def clear(self) -> bool:
        """Whether it was busy for so long that more of it would have helped."""
        return self.share >= _CLEAR_SHARE

    def __str__(self) -> str:
        """`reading (read 70 %, encode 16 %), busy 86 % of the time; alone on all cores …`."""
        if not self.clear:
            return (
                f"no stage: {self.name}, the busiest, was busy {100 * self.share:.0f} % of the "
                "time; the rest was starting up, and waiting for other stages or for cores"
            )
        apart = ", ".join(f"{name} {100 * share:.0f} %" for name, share in self.parts)
        told = f"{self.name} ({apart})" if len(self.parts) > 1 else self.name
        return (
            f"{told}, busy {100 * self.share:.0f} % of the time{self._reached()}; "
            f"{_FASTER[self.name]} may help"
        )

    def _reached(self) -> str:
        if self.ceiling is None:
            return ""
        alone = (
            "its instances, at this pace and never idle,"
            if self.ceiling.cores is None
            else f"alone on all cores ({self.ceiling.cores}) it"
        )
        return (
            f"; {alone} would give {self.ceiling.rate:,.0f} rows/s, of which "
            f"{100 * self.ceiling.reached:.0f} % were reached"
        )


@dataclass(frozen=True, slots=True)
class Work:
    """What a run did to score, for its report."""

    stages: tuple[StageTime, ...]
    """In the order in which a row passes them; empty when nothing had to be scored."""
    bound: Bound | None
    """What bounded it; None when nothing was busy, or not for a second."""
    foreign_requests: int
    """Requests of other clients that are in what the servers tell."""
    own_share: float = 1.0
    """Share of the requests in what the servers tell that are this run's, from 0 to 1."""


@dataclass(frozen=True, slots=True)
class Places:
    """How much a run can do at the same time."""

    shards: int
    """Shards in flight, each with its threads."""
    answers: int
    """Answers that may wait in the queue of a shard."""

    @property
    def requests(self) -> int:
        """Requests in flight."""
        return self.shards * (self.answers + _UNQUEUED)


def stage_times(
    spent: Mapping[str, float],
    served: ModelStatistics | None,
    places: Places,
    *,
    worked: Mapping[str, float],
) -> tuple[StageTime, ...]:
    """Return the stages in the order in which a row passes them.

    `spent` are the seconds of `read`, `encode`, `infer`, `write` and `commit` over all shards;
    `served` is what the servers did meanwhile, None when they do not tell; `worked` are processor
    seconds of the stages that are threads.
    """
    infer = [StageTime("infer", spent.get("infer", 0.0), places.requests)]
    if served is not None:
        # Another client's requests may be in what the servers tell.
        transfer_s = max(spent.get("infer", 0.0) - served.inside_s, 0.0)
        infer = [
            StageTime("transfer", transfer_s, places.requests),
            StageTime("queue", served.queue_s, places.requests),
            StageTime("compute", served.busy_s, max(served.instances, 1)),
        ]
    read, encode, write, commit = (
        StageTime(name, spent.get(name, 0.0), places.shards, worked.get(name, 0.0))
        for name in ("read", "encode", "write", "commit")
    )
    return (read, encode, *infer, write, commit)


def find_bound(
    stages: Sequence[StageTime], *, rows: int, scoring_s: float, cores: int, served_others: bool
) -> Bound | None:
    """Return what bounded a run that scored `rows` in `scoring_s`.

    None when nothing was busy, and for a run of less than a second. `cores` are those of this
    process. `served_others`: the servers' seconds are others' too.
    """
    if not rows or scoring_s < _SHORTEST_S:
        return None
    by_name = {stage.name: stage for stage in stages}
    busiest = [
        (sum(by_name[part].share(scoring_s) for part in parts), name)
        for name, parts in _WORKERS.items()
        if all(part in by_name for part in parts)
    ]
    share, name = max(busiest, default=(0.0, ""))
    if share <= 0:
        return None
    own = [by_name[part] for part in _WORKERS[name]]
    parts = tuple((stage.name, stage.share(scoring_s)) for stage in own)
    rate = rows / scoring_s
    if name == "compute":
        ceiling = None if served_others else Ceiling(rate / share, share, None)
    else:
        ceiling = _ceiling_of_threads(own, rate, scoring_s, cores)
    return Bound(name, share, ceiling, parts)


def _ceiling_of_threads(
    stages: Sequence[StageTime], rate: float, scoring_s: float, cores: int
) -> Ceiling | None:
    worked_s = sum(stage.processor_s for stage in stages)
    if worked_s <= 0 or worked_s < _AT_WORK * sum(stage.busy_s for stage in stages):
        return None
    reached = worked_s / (cores * scoring_s)
    return Ceiling(rate / reached, reached, cores)
