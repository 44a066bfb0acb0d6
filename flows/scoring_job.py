"""Hold what all shards of a job share."""

from collections.abc import Callable
from concurrent.futures import Executor
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from flows.budget import ErrorBudget
from flows.progress import JobProgress
from flows.settings import ScoringSettings
from flows.shards.commit import PartRecord
from flows.shards.dataset import Dataset
from flows.shards.fingerprint import Fingerprint
from flows.shards.mapping import Mapping
from flows.shards.object_store import ObjectStore
from flows.shards.settings import ShardSettings
from flows.shards.types import Shard
from inference.pool import Pool
from inference.proof import Proof
from inference.shared_memory import BufferPool
from registry.domain import ModelVersion


@dataclass(frozen=True, slots=True)
class ScoringJob:
    """What all shards of a job share."""

    dataset: Dataset
    """Where the rows come from."""
    output: ObjectStore
    """Where parts go."""
    model: ModelVersion
    """The pinned version that scores."""
    mapping: Mapping
    """How columns become tensors and answers become columns."""
    fingerprint: Fingerprint
    """What the output is a function of."""
    allow_non_finite: bool
    """Whether NaN and infinity are answers."""
    pool: Pool
    """The servers."""
    buffers: BufferPool
    """Memory for inputs, shared with the servers where that is possible."""
    readers: Executor
    """Threads that decode, one for each shard in flight."""
    budget: ErrorBudget
    """How many rows may still be quarantined."""
    progress: JobProgress
    """Who is told how far it is."""
    scratch: Path
    """Where parts are built."""
    scoring: ScoringSettings
    """How much is done at a time."""
    files: ShardSettings
    """How files are read and written."""
    utc_now: Callable[[], datetime]
    """The time, for records."""
    find_part: Callable[[Shard], PartRecord | None] | None = None
    """Looks for a shard's part before it is scored, where other runs score shards of the job;
    called from threads."""
    proof: Proof = field(default_factory=Proof)
    """What the job has seen of its model."""
