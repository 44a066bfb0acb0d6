"""The job contract: what a person asks for when a dataset is to be scored."""

from typing import Annotated, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, field_validator

_PREFECTS = "__prefect_kind"
"""Prefect's server takes an object with this key for a template to fill in, wherever it stands."""

_Named = TypeVar("_Named")
CastPermission = Literal["lossy", "temporal", "parse"]


class BatchJob(BaseModel):
    """One request to score a dataset."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    model: str = Field(
        description="Which model scores the rows: NAME@ALIAS, or NAME@VERSION to pin one.",
        examples=["flights@champion", "flights@3"],
    )
    input: str = Field(
        description="The dataset: a folder or prefix (hive partitions are read), or one Parquet "
        "file. A local path, file:// or s3://bucket/prefix.",
        examples=["s3://lake/flights/", ".nightshift/lake/flights"],
    )
    output: str = Field(
        description="Where parts, manifest and quarantine are written. One job's output only.",
        examples=["s3://lake/scores/", ".nightshift/lake/scores"],
    )
    columns: dict[str, list[str]] = Field(
        default_factory=dict,
        description="Columns that feed each model input, in order; several are stacked. Inputs "
        "not named here use the mapping registered with the version, else the column "
        "of the same name.",
        examples=[{"features": ["dep_delay", "distance", "hour"]}],
    )
    keep: Literal["rest", "all", "none"] | list[str] = Field(
        default="rest",
        description="Columns copied beside the scores: 'rest' (every column that feeds no input), "
        "'all', 'none', or a list. Partition columns are always kept.",
    )
    rename: dict[str, str] = Field(
        default_factory=dict,
        description="Column names for model outputs; an output not named here keeps its own name.",
    )
    text: list[str] = Field(
        default_factory=list,
        description="BYTES outputs written as UTF-8 text instead of binary; a row whose answer is "
        "not UTF-8 goes to the quarantine.",
        examples=[["label"]],
    )
    casts: Annotated[list[CastPermission], Field(max_length=3)] = Field(
        default_factory=list,
        description="Conversions allowed beyond the exact ones: 'lossy' (float64 to FP32, large "
        "integers to floats, long decimals), 'temporal' (dates and times as numbers "
        "since the epoch, in the column's unit), 'parse' (text to numbers).",
    )
    allow_non_finite: bool = Field(
        default=False,
        description="Accept NaN and infinity in the model's floating-point outputs instead of "
        "quarantining those rows.",
    )
    max_quarantined_fraction: float | None = Field(
        default=None,
        ge=0.0,
        le=1.0,
        description="Largest share of rows that may go to the quarantine; above it the job fails "
        "and publishes nothing. When neither this nor a number of rows is given, none may.",
    )
    max_quarantined_rows: int | None = Field(
        default=None,
        ge=0,
        description="Largest number of rows that may go to the quarantine; the smaller of both "
        "limits counts.",
    )
    replace: bool = Field(
        default=False,
        description="Switch an output that another job published to this job's result.",
    )

    @field_validator("columns", "rename")
    @classmethod
    def _is_no_template(cls, named: dict[str, _Named]) -> dict[str, _Named]:
        if _PREFECTS in named:
            raise ValueError(f"{_PREFECTS} is a word of Prefect's: call it otherwise")
        return named
