"""Do a whole job without a model server, in a process that may end or stop at a fail-point."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from flows.shards.attempt import commit_attempt
from flows.shards.commit import Adopted, Committed, part_key
from flows.shards.errors import ShardError
from flows.shards.types import Shard
from tests.chaos.oracle import FILES
from tests.chaos.places import Place
from tests.faults.failpoints import FailPoint, FailPointStore
from tests.flows.shards.jobs import Job, dataset_at, write_lake

SHARDS = 3


@dataclass(frozen=True, slots=True)
class Order:
    """A job, as another process can be told."""

    place: Place
    """Where its output goes."""
    folder: Path
    """Where its input is, and where it may build its parts."""
    version: int = 1
    """The model's; another version is another job."""
    replace: bool = False
    """Whether it may take the place of another job's output."""
    points: tuple[str, ...] = ()
    """Fail-points, in words."""
    through: str = ""
    """Another address of the S3 server."""
    settings: Mapping[str, Any] = field(default_factory=dict)
    """Changes to the settings of S3."""


@dataclass(slots=True)
class Outcome:
    """How a job went."""

    end: str = "published"
    """Or the name of the error that it ended with."""
    message: str = ""
    """The error's words."""
    committed: list[int] = field(default_factory=list)
    """Shards whose parts are its own."""
    adopted: list[int] = field(default_factory=list)
    """Shards that another attempt had committed when this one came to."""


def prepare(folder: Path) -> None:
    """Write the dataset of an order."""
    write_lake(folder / "lake", FILES)


def score(order: Order) -> Outcome:
    """Do the job in this process; an error that ends a job is its outcome."""
    store = order.place.open(through=order.through, **order.settings)
    points = [FailPoint.parse(words) for words in order.points]
    job = _Job(
        dataset_at(order.folder / "lake"),
        FailPointStore(store, points),
        order.folder / "scratch",
        version=order.version,
    )
    try:
        job.run(replace=order.replace)
    except ShardError as error:
        job.outcome.end, job.outcome.message = type(error).__name__, str(error)
    return job.outcome


def score_and_tell(order: Order, told: Path) -> None:
    """Do the job and write its outcome to a file."""
    told.write_text(json.dumps(asdict(score(order))))


class _Job(Job):
    """Commits as scoring does, and keeps what came of it."""

    outcome: Outcome

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.outcome = Outcome()

    def score(self, shard: Shard) -> Committed | Adopted:
        path, write_id = self.build(shard)
        key = part_key(shard.index, self.fingerprint.digest)
        try:
            done = commit_attempt(self.output, self.fingerprint, key, path, write_id)
        finally:
            path.unlink()
        ours = isinstance(done, Committed)
        (self.outcome.committed if ours else self.outcome.adopted).append(shard.index)
        return done
