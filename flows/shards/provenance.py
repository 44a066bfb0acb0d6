"""Say in a part's footer where its rows come from."""

import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError

from flows.shards.errors import ShardError
from flows.shards.types import Shard

FOOTER_KEY = "nightshift.part"
"""Key of the Parquet footer's metadata under which the JSON stands."""


class RowsUnaccounted(ShardError):
    """A shard's rows in are not its rows ok plus its rows quarantined."""

    def __init__(self, shard: str, *, rows_in: int, rows_ok: int, rows_quarantined: int) -> None:
        super().__init__(
            f"rows unaccounted for in {shard}: {rows_in} in, {rows_ok} scored and "
            f"{rows_quarantined} quarantined: nothing was committed; report this as a defect"
        )


class PartOrigin(BaseModel):
    """Where a part's rows come from, and what became of them."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    write_id: str
    """Which attempt wrote it; no two attempts share one."""
    shard: int
    """Position in the plan, from 0."""
    source: str
    """The input file, below the dataset's root."""
    source_etag: str
    """Identity of its content."""
    group_start: int
    """First row group."""
    group_stop: int
    """First row group not included."""
    row_start: int
    """Position in the file of the first row."""
    rows_in: int
    """Rows read."""
    rows_ok: int
    """Rows in the part."""
    rows_quarantined: int
    """Rows in the quarantine object."""
    quarantine: str | None
    """The quarantine object that counts, below the output's root; None when no row failed."""
    quarantine_sha256: str | None = None
    """SHA-256 of the quarantine object; None without one, or before it was kept."""
    attempt: int
    """Which try of the shard it was, from 1."""
    written_at: datetime
    """When the part was finished, in UTC, before it was committed."""
    reasons: dict[str, int] = {}
    """Quarantined rows by reason."""
    timings: dict[str, float] = {}
    """Seconds spent, by stage."""


class Provenance(PartOrigin):
    """Everything that a committed part says of itself: the record of its commit."""

    fingerprint: str
    """Digest of the job's fingerprint, in hex."""
    model: str
    """The model version, `NAME@3`."""
    model_digest: str
    """Digest of the model version."""
    outputs: dict[str, Any] = {}
    """Profile of each output column, as the scorer made it: JSON values only."""

    @classmethod
    def of(
        cls,
        shard: Shard,
        *,
        write_id: str,
        fingerprint: str,
        rows_ok: int,
        rows_quarantined: int,
        quarantine: str | None,
        quarantine_sha256: str | None = None,
        model: str,
        model_digest: str,
        attempt: int,
        written_at: datetime,
        reasons: Mapping[str, int],
        outputs: Mapping[str, Any],
        timings: Mapping[str, float],
    ) -> "Provenance":
        """State where the rows of `shard` went.

        Raises `RowsUnaccounted` unless rows in are rows ok plus rows quarantined.
        """
        named = quarantine is not None
        if rows_ok + rows_quarantined != shard.rows or named != (rows_quarantined > 0):
            raise RowsUnaccounted(
                str(shard), rows_in=shard.rows, rows_ok=rows_ok, rows_quarantined=rows_quarantined
            )
        return cls(
            write_id=write_id,
            fingerprint=fingerprint,
            shard=shard.index,
            source=shard.file.key,
            source_etag=shard.file.etag,
            group_start=shard.group_start,
            group_stop=shard.group_stop,
            row_start=shard.row_start,
            rows_in=shard.rows,
            rows_ok=rows_ok,
            rows_quarantined=rows_quarantined,
            quarantine=quarantine,
            quarantine_sha256=quarantine_sha256,
            model=model,
            model_digest=model_digest,
            attempt=attempt,
            written_at=written_at,
            reasons=dict(reasons),
            outputs=dict(outputs),
            timings=dict(timings),
        )

    def to_metadata(self) -> dict[str, str]:
        """The key and value to write into the footer."""
        return {FOOTER_KEY: self.model_dump_json()}

    @classmethod
    def from_metadata(cls, metadata: Mapping[bytes, bytes] | None) -> "Provenance":
        """Read what `to_metadata` wrote; raises `ValueError` when it is not there or not valid."""
        text = (metadata or {}).get(FOOTER_KEY.encode())
        if text is None:
            raise ValueError("its footer does not say that Nightshift wrote it")
        try:
            return cls.model_validate_json(text)
        except ValidationError as error:
            fault = error.errors(include_url=False)[0]
            raise ValueError(
                f"its footer's record is not valid: {json.dumps(fault['loc'])} {fault['msg']}"
            ) from error

    def is_of(self, shard: Shard) -> bool:
        """Whether the part holds exactly the rows of `shard`, from the same content."""
        return (
            self.shard,
            self.source,
            self.source_etag,
            self.group_start,
            self.group_stop,
            self.row_start,
            self.rows_in,
        ) == (
            shard.index,
            shard.file.key,
            shard.file.etag,
            shard.group_start,
            shard.group_stop,
            shard.row_start,
            shard.rows,
        )
