"""Read how datasets are cut, parts are written and stores are reached."""

from pathlib import Path
from typing import Literal

from pydantic import Field, SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict

from inference.store_settings import StoreName, StoreSettings


class ShardSettings(BaseSettings):
    """How a dataset is cut into shards, and shards become parts."""

    model_config = SettingsConfigDict(env_prefix="NIGHTSHIFT_", frozen=True, extra="ignore")

    shard_rows: int = Field(
        default=2_000_000,
        ge=1,
        description="Most rows of a shard. At 50,000 to 200,000 rows a second for a small model "
        "this is 10 to 40 s of work: long beside a commit, short beside a retry.",
    )
    shard_bytes: int = Field(
        default=512 * 2**20,
        ge=1,
        description="Most uncompressed bytes of a shard, so that wide rows make smaller shards; "
        "half a gigabyte is seconds of transfer from any S3.",
    )
    read_rows: int = Field(
        default=65_536,
        ge=1,
        description="Rows that are decoded at a time. 64 float32 columns of that many rows are "
        "16 MiB: enough to amortise a call, small beside a worker's memory.",
    )
    footer_threads: int = Field(
        default=32,
        ge=1,
        description="Footers that are read at a time. A footer costs one round trip of about 20 "
        "ms, so 32 in flight read 1,000 in under a second.",
    )
    footer_bytes: int = Field(
        default=64 * 2**10,
        ge=8,
        description="Bytes fetched from a file's end to find its footer; pyarrow's own guess, "
        "which one request satisfies for all but very wide files.",
    )
    part_row_group_rows: int = Field(
        default=262_144,
        ge=1,
        description="Rows of a part's row groups: Parquet's readers work best at 100,000 to "
        "1,000,000, and this many rows wait in memory.",
    )
    part_row_group_bytes: int = Field(
        default=64 * 2**20,
        ge=1,
        description="Bytes after which a part's row group is written although it has fewer rows, "
        "so that wide rows do not fill the memory.",
    )
    part_compression: Literal["zstd", "snappy", "lz4", "none"] = Field(
        default="zstd",
        description="Codec of the parts. zstd at level 1 is near snappy's speed and a third "
        "smaller on scores beside kept columns.",
    )
    scratch_dir: Path | None = Field(
        default=None,
        description="Where parts are built before they are published. By default a hidden folder "
        "in a local output, so that publishing is a link, else the system's temporary folder.",
    )


class S3Settings(BaseSettings):
    """How S3 is reached; what is not set comes from AWS's own environment and files."""

    model_config = SettingsConfigDict(
        env_prefix="NIGHTSHIFT_S3_", frozen=True, extra="ignore", validate_by_name=True
    )

    stores: dict[StoreName, StoreSettings] = Field(
        default_factory=dict,
        validation_alias="NIGHTSHIFT_STORES",
        description="Where datasets may lie, by name, each with what differs for it; every address "
        "will do when there are none.",
    )

    endpoint_url: str | None = Field(
        default=None, description="Address of an S3 that is not AWS's; None asks AWS."
    )
    region: str | None = Field(default=None, description="Region to sign for.")
    access_key: str | None = Field(default=None, description="Access key id.")
    secret_key: SecretStr | None = Field(default=None, description="Secret access key.")
    session_token: SecretStr | None = Field(default=None, description="Token of temporary keys.")
    addressing_style: Literal["auto", "path", "virtual"] = Field(
        default="auto",
        description="Where the bucket's name goes. auto: into the path for an endpoint of one's "
        "own, which every store takes, and into the host for AWS.",
    )
    anonymous: bool = Field(default=False, description="Read public buckets without credentials.")
    connect_timeout_s: float = Field(
        default=5.0, gt=0, description="s3fs's own: a healthy endpoint accepts within 1 s."
    )
    read_timeout_s: float = Field(
        default=60.0,
        gt=0,
        description="Silence after which a request is given up. A store that assembles a large "
        "multipart object may stay silent for tens of seconds.",
    )
    tries: int = Field(
        default=4,
        ge=1,
        description="Tries of one request on timeouts and throttling, with doubling pauses: about "
        "1 s in all, after which the shard's own retry is the better one.",
    )
    connections: int = Field(
        default=64, ge=1, description="Open connections: twice the footers read at a time."
    )
    single_put_bytes: int = Field(
        default=128 * 2**20,
        ge=10 * 2**20,
        le=5 * 2**30,
        description="Size up to which a part goes out in one PUT, held in memory once. Larger ones "
        "go out in pieces of half of this, with a conditional completion.",
    )
    upload_threads: int = Field(
        default=4,
        ge=1,
        description="Pieces of one large part in flight: with single_put_bytes this bounds an "
        "upload's memory to 256 MiB, and four streams fill most links.",
    )
