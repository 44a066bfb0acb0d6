"""Say what the run of a slice is asked for."""

from pydantic import BaseModel, ConfigDict, Field


class SliceOrder(BaseModel):
    """Shards of a job for one run of `score-slice`; made by the job's own run."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    output: str = Field(description="Where the job's parts go; its plan lies there.")
    fingerprint: str = Field(
        pattern="^[0-9a-f]{64}$",
        description="Digest of all that determines the job's output; names its plan.",
    )
    coordinator: str = Field(
        description="The run of the job that handed the slice out. When it is no longer the one "
        "that does, the slice stops; what it committed is kept."
    )
    number: int = Field(ge=0, description="Which slice of the job, from 0.")
    run: int = Field(
        ge=0, description="Counts the runs that the job sent out; names the record of this one."
    )
    shards: str = Field(
        pattern="^[0-9]+(-[0-9]+)?(,[0-9]+(-[0-9]+)?)*$",
        description="Shards to score, by their position in the plan. Those that are committed "
        "already are skipped.",
        examples=["0-99,120"],
    )
    backwards: bool = Field(
        default=False,
        description="Begin at the last shard: for a second run that helps a slow first one, so "
        "that the two meet in the middle.",
    )
    quarantined_elsewhere: int = Field(
        default=0,
        ge=0,
        description="Rows that other slices had quarantined when this one was sent out; they "
        "count against the job's limit.",
    )
