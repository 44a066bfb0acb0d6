"""Read how a job is spread over workers."""

from typing import Literal

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict


class SliceSettings(BaseSettings):
    """Read from `NIGHTSHIFT_…` variables by the run that hands out slices."""

    model_config = SettingsConfigDict(env_prefix="NIGHTSHIFT_", frozen=True, extra="ignore")

    score_on: Literal["auto", "here", "workers"] = Field(
        default="auto",
        description="Where shards are scored: here, in the process of the job's own run; on "
        "workers, in runs of score-slice; auto: on workers when the run was deployed, has more "
        "than one slice to score, and a worker listens; else here.",
    )
    slice_deployment: str = Field(
        default="score-slice/score-slice",
        description="The deployment whose runs score slices, as `prefect.yaml` names it.",
    )
    slice_rows: int = Field(
        default=20_000_000,
        ge=1,
        description="Rows a slice aims at. Ten full shards are 2 to 7 minutes of work: long "
        "beside the 5 to 8 s that a run takes to begin, short beside a straggler.",
    )
    slice_bytes: int = Field(
        default=5 * 2**30,
        ge=1,
        description="Uncompressed bytes a slice aims at: ten full shards of wide rows.",
    )
    slice_shards: int = Field(
        default=256,
        ge=1,
        description="Most shards of a slice: of a dataset of many small files too, what a dead "
        "run leaves undone is handed out again as a few minutes of work.",
    )
    slices_most: int = Field(
        default=200,
        ge=1,
        description="Most slices of a job, which then are larger. A run costs Prefect's server "
        "about 0.1 s to take in, and its pages show hundreds well, thousands not.",
    )
    slice_tries: int = Field(
        default=3,
        ge=1,
        description="Runs of a slice that may die one after the other without a shard committed, "
        "before the job is given up. One death is a lost machine; three in a row are the slice's.",
    )
    slice_silence_s: float = Field(
        default=60.0,
        gt=0,
        description="Silence after which a run is taken for dead: twelve beats are missed then. "
        "Time in which the store cannot be read does not count.",
    )
    slice_beat_s: float = Field(
        default=5.0,
        gt=0,
        description="Seconds between two records of a run. A person who watches waits no longer, "
        "and a hundred slices write twenty small objects a second.",
    )
    slice_store_s: float = Field(
        default=600.0,
        ge=0,
        description="Longest absence of the output's store, after which the job ends; what is done "
        "is kept. Slices are tried for some two minutes, and go out again when it is back.",
    )
    slice_start_s: float = Field(
        default=600.0,
        gt=0,
        description="Wait for the first record of a run that a worker took: a pod may wait that "
        "long for a node and its image.",
    )
    slice_wait_s: float = Field(
        default=30.0,
        ge=0,
        description="Wait for a worker to begin any slice, after which the job's own run scores "
        "one slice itself, then waits again. A free worker begins one within 8 s.",
    )
    slice_poll_s: float = Field(
        default=2.0,
        gt=0,
        description="Seconds between two looks at the runs and at what they committed. A look "
        "costs Prefect's server 20 to 50 ms.",
    )
    slice_help_s: float = Field(
        default=30.0,
        gt=0,
        description="Work that a run must have left, at its own pace, to be helped by a second "
        "one when nothing else waits: four times what that one takes to begin.",
    )
