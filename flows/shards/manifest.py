"""Describe a published output: its parts, where their rows come from, what was left out."""

from collections import Counter
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, ValidationError

from flows.shards.commit import PartRecord
from flows.shards.errors import NoSuchObject, OutputOccupied
from flows.shards.fingerprint import Fingerprint
from flows.shards.object_store import ObjectInfo, ObjectStore
from flows.shards.provenance import PartOrigin

MANIFEST_KEY = "_manifest.json"
"""The file that publishes an output."""
SUCCESS_KEY = "_SUCCESS"
"""The marker that Spark and Hive know; holds the fingerprint's digest."""


class Cut(BaseModel):
    """How a dataset is cut into shards."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    shard_rows: int
    """Most rows of a shard."""
    shard_bytes: int
    """Most uncompressed bytes of a shard."""


class ManifestPart(PartOrigin):
    """One part, with where its rows come from."""

    key: str
    """Path below the output's root."""
    bytes: int
    """Size of the object."""
    etag: str
    """Identity of the object when it was published."""
    footer_sha256: str | None = None
    """SHA-256 of its footer, which holds that of all before it; None before it was kept."""
    quarantine_bytes: int
    """Size of the quarantine object; 0 without one."""
    quarantine_etag: str | None = None
    """Identity of the quarantine object; None without one, or before it was kept."""


class Manifest(BaseModel):
    """What `_manifest.json` holds."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    format: Literal["nightshift-manifest-1"] = "nightshift-manifest-1"
    """Raised when a reader of the old one would go wrong."""
    fingerprint: str
    """Digest of the components."""
    inputs_digest: str
    """Digest of the input files."""
    components: Fingerprint
    """Everything that determines the output."""
    cut: Cut
    """How the dataset was cut."""
    rows_in: int
    """Rows of the dataset."""
    rows_ok: int
    """Rows of all parts."""
    rows_quarantined: int
    """Rows of all quarantine objects."""
    bytes: int
    """Size of all parts."""
    reasons: dict[str, int]
    """Quarantined rows by reason, most frequent first."""
    parts: tuple[ManifestPart, ...]
    """By shard."""
    lineage: dict[str, Any] = {}
    """Who asked for it and what ran: JSON values only."""
    outputs: dict[str, Any] = {}
    """Profile of each output column: JSON values only."""
    timings: dict[str, float] = {}
    """Seconds spent by the job, by phase and by stage; those of a stage are summed over all that
    were busy at the same time."""
    started_at: datetime
    """When the job first claimed the output, in UTC."""
    published_at: datetime
    """When the manifest was made, in UTC."""

    def objects(self) -> set[str]:
        """Keys of every part and quarantine object that counts."""
        return {part.key for part in self.parts} | {
            part.quarantine for part in self.parts if part.quarantine is not None
        }

    def same_parts(self, other: "Manifest") -> bool:
        """Whether both publish the very same objects."""
        return self.fingerprint == other.fingerprint and self.parts == other.parts


def build_manifest(
    fingerprint: Fingerprint,
    records: Iterable[PartRecord],
    *,
    cut: Cut,
    quarantined: Mapping[str, ObjectInfo],
    lineage: Mapping[str, Any],
    outputs: Mapping[str, Any],
    timings: Mapping[str, float],
    started_at: datetime,
    published_at: datetime,
) -> Manifest:
    """Describe the parts of a finished job; `quarantined` are the quarantine objects by key."""
    parts = tuple(
        _part(record, quarantined)
        for record in sorted(records, key=lambda record: record.provenance.shard)
    )
    reasons: Counter[str] = Counter()
    for part in parts:
        reasons.update(part.reasons)
    return Manifest(
        fingerprint=fingerprint.digest,
        inputs_digest=fingerprint.inputs_digest,
        components=fingerprint,
        cut=cut,
        rows_in=sum(part.rows_in for part in parts),
        rows_ok=sum(part.rows_ok for part in parts),
        rows_quarantined=sum(part.rows_quarantined for part in parts),
        bytes=sum(part.bytes for part in parts),
        reasons=dict(reasons.most_common()),
        parts=parts,
        lineage=dict(lineage),
        outputs=dict(outputs),
        timings=dict(timings),
        started_at=started_at,
        published_at=published_at,
    )


def _part(record: PartRecord, quarantined: Mapping[str, ObjectInfo]) -> ManifestPart:
    own = record.provenance
    quarantine = None if own.quarantine is None else quarantined[own.quarantine]
    return ManifestPart(
        key=record.key,
        bytes=record.size,
        etag=record.etag,
        footer_sha256=record.footer_sha256,
        quarantine_bytes=quarantine.size if quarantine else 0,
        quarantine_etag=quarantine.etag if quarantine else None,
        **own.model_dump(include=set(PartOrigin.model_fields)),
    )


def read_manifest(store: ObjectStore) -> tuple[Manifest, ObjectInfo] | None:
    """Read the published manifest with the object's identity; None when nothing is published.

    Raises `OutputOccupied` when the file is there and is no manifest that can be read.
    """
    try:
        tail = store.read_tail(MANIFEST_KEY, 2**40)
    except NoSuchObject:
        return None
    try:
        return Manifest.model_validate_json(tail.data), tail.info
    except ValidationError as error:
        fault = error.errors(include_url=False)[0]
        raise OutputOccupied(
            store.uri,
            f"a {MANIFEST_KEY} that cannot be read ({fault['msg']})",
            [],
            replaceable=False,
        ) from error
