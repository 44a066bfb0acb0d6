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
together. The stage with the largest share bounds the run. At its *ceiling* it would have been busy
all the time, while every row took it as long as it did: rate by share. The ceiling is measured in
the run, beside the other stages, which may share the same cores; alone on them it would be higher.

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
_FASTER = {
    "reading": "more cores",
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

    def share(self, scoring_s: float) -> float:
        """Return how much of `scoring_s` they were busy, from 0 to 1."""
        return self.busy_s / (self.workers * scoring_s)


@dataclass(frozen=True, slots=True)
class Bound:
    """The stage that bounded a run."""

    name: str
    """`reading`, `transfer`, `compute`, `infer`, `writing` or `committing`."""
    share: float
    """How much of the ceiling was reached, from 0 to 1."""
    ceiling: float
    """Rows per second that this stage alone could have given."""
    parts: tuple[tuple[str, float], ...]
    """The stages that it consists of, each with its own share."""

    @property
    def clear(self) -> bool:
        """Whether it was busy for so long that more of it would have helped."""
        return self.share >= _CLEAR_SHARE

    def __str__(self) -> str:
        """`reading (read 70 %, encode 16 %): 86 % of the 2,000 rows/s that reading alone …`."""
        if not self.clear:
            return (
                f"no stage: {self.name}, the busiest, was busy {100 * self.share:.0f} % of the "
                "time; starting up, and cores that stages share, took the rest"
            )
        apart = ", ".join(f"{name} {100 * share:.0f} %" for name, share in self.parts)
        told = f"{self.name} ({apart})" if len(self.parts) > 1 else self.name
        return (
            f"{told}: {100 * self.share:.0f} % of the {self.ceiling:,.0f} rows/s that {self.name} "
            f"alone could give; {_FASTER[self.name]} would help"
        )


@dataclass(frozen=True, slots=True)
class Work:
    """What a run did to score, for its report."""

    stages: tuple[StageTime, ...]
    """In the order in which a row passes them; empty when nothing had to be scored."""
    bound: Bound | None
    """What bounded it; None when nothing was busy."""
    foreign_requests: int
    """Requests of other clients that are in what the servers tell."""


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
    spent: Mapping[str, float], served: ModelStatistics | None, places: Places
) -> tuple[StageTime, ...]:
    """Return the stages in the order in which a row passes them.

    `spent` are the seconds of `read`, `encode`, `infer`, `write` and `commit` over all shards;
    `served` is what the servers did meanwhile, None when they do not tell.
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
        StageTime(name, spent.get(name, 0.0), places.shards)
        for name in ("read", "encode", "write", "commit")
    )
    return (read, encode, *infer, write, commit)


def find_bound(stages: Sequence[StageTime], *, rows: int, scoring_s: float) -> Bound | None:
    """Return what bounded a run that scored `rows` in `scoring_s`; None when nothing was busy."""
    if not (rows and scoring_s > 0):
        return None
    shares = {stage.name: stage.share(scoring_s) for stage in stages}
    found = [
        (sum(shares[part] for part in parts), name, tuple((part, shares[part]) for part in parts))
        for name, parts in _WORKERS.items()
        if all(part in shares for part in parts)
    ]
    share, name, parts = max(found, default=(0.0, "", ()))
    if share <= 0:
        return None
    return Bound(name, share, rows / scoring_s / share, parts)
