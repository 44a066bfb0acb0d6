"""How much a scoring process does at a time."""

import os

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict


class ScoringSettings(BaseSettings):
    """Read from `NIGHTSHIFT_…` variables; bounds the memory of a scoring process."""

    model_config = SettingsConfigDict(env_prefix="NIGHTSHIFT_", frozen=True, extra="ignore")

    shards_in_flight: int = Field(default_factory=lambda: min(os.cpu_count() or 1, 8), ge=1)
    """Shards scored at the same time. One a core: each keeps about one core busy decoding."""
    microbatches_in_flight: int = Field(default=4, ge=1)
    """Requests that one shard keeps at the servers. Triton works on one while the next two wait
    in its queue; more only adds memory."""
    microbatch_bytes: int = Field(default=8 << 20, ge=1)
    """Bytes of inputs a request aims at. With 64 float32 a row, 4 MiB cost a tenth more of the
    processor than 8, 2 MiB a third more, and 16 saved nothing."""
    read_bytes: int = Field(default=2 << 20, ge=1)
    """Bytes of inputs that are decoded from a file at a time. Two MiB stay in a core's cache, and
    the allocator keeps blocks of that size: decoding 8 MiB at a time cost a third more."""
    microbatch_max_rows: int = Field(default=32_768, ge=1)
    """Most rows of a request, however narrow they are: narrow rows are dear for the model, not
    for the wire, and a refused request is bisected."""
    task_retry_delays_s: tuple[float, ...] = (1, 2, 5, 15, 30)
    """Seconds before the tries of a shard whose pool was away. Together they outlast one
    cool-down of a breaker."""
    task_s: float = Field(default=10.0, ge=0)
    """Seconds after which one of Prefect's task runs takes no further shard. A task run costs 25
    ms in the job and 28 ms of processor time at Prefect's server, half of what a small shard
    takes; the server records 25 to 30 a second."""
    rounds: int = Field(default=3, ge=1)
    """Times that shards which found no server are handed out, retries within each."""
    model_wait_s: float = Field(default=60.0, ge=0)
    """Longest wait for a model that the servers know and are still loading."""
    progress_interval_s: float = Field(default=0.25, gt=0)
    """Seconds between two looks at the counters."""
    job_row_interval_s: float = Field(default=2.0, gt=0)
    """Seconds in which a job that was submitted tells the registry how far it is, a transaction of
    milliseconds, and hears that it is to stop."""
