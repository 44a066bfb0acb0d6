"""Publish a job's output: the manifest first, then the marker, then away with leftovers."""

from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from datetime import datetime
from typing import Any

from flows.shards.claim import JOB_NAME, Claim, check_claim, job_key
from flows.shards.commit import PART_NAME, PartRecord, check_parts, list_parts
from flows.shards.errors import (
    AmbiguousPut,
    IncompleteOutput,
    NoSuchObject,
    OutputOccupied,
    PartConflict,
    StoreUnavailable,
)
from flows.shards.fingerprint import Fingerprint, differences
from flows.shards.manifest import (
    MANIFEST_KEY,
    SUCCESS_KEY,
    Manifest,
    build_manifest,
    read_manifest,
)
from flows.shards.object_store import PROBE_PREFIX, ObjectInfo, ObjectStore, Tail
from flows.shards.quarantine import QUARANTINE_PREFIX
from flows.shards.slice_objects import is_slice_object
from flows.shards.types import Shard

PUBLISH_TRIES = 5
"""Tries to switch manifest or marker; each fails only when another job does so in between, or the
answer is lost."""


def publish(
    store: ObjectStore,
    fingerprint: Fingerprint,
    shards: Sequence[Shard],
    claim: Claim,
    *,
    replace: bool,
    lineage: Mapping[str, Any],
    outputs: Mapping[str, Any],
    timings: Mapping[str, float],
    now: datetime,
    threads: int,
) -> Manifest:
    """Publish the committed parts of a job; returns the manifest that counts.

    The parts are read back from the store, so that the manifest tells what is there and not what a
    worker remembers. The manifest appears whole, or switches from the old job's to this one's in
    one step; then `_SUCCESS`; then old parts, the quarantine objects of attempts that lost, and
    the job's record go. While a replacement runs, a reader that ignores the manifest and lists
    `*.parquet` sees both jobs' parts.

    Safe to repeat, by several runs of the job at once: the first manifest counts. Raises
    `IncompleteOutput`, `PartConflict`, `JobSuperseded`, and `OutputOccupied` when another job has
    published and `replace` is not asked for.
    """
    check_claim(store, fingerprint)
    records = verify_parts(store, fingerprint, shards, threads=threads)
    missing = [shard.index for shard in shards if shard.index not in records]
    if missing:
        raise IncompleteOutput(store.uri, missing, len(shards))
    manifest = build_manifest(
        fingerprint,
        records.values(),
        cut=claim.cut,
        quarantined=_quarantine_objects(store, records.values()),
        lineage=lineage,
        outputs=outputs,
        timings=timings,
        started_at=claim.started_at,
        published_at=now,
    )
    published = _switch(store, manifest, replace=replace)
    finish_publication(store, published)
    return published


def verify_parts(
    store: ObjectStore, fingerprint: Fingerprint, shards: Sequence[Shard], *, threads: int
) -> dict[int, PartRecord]:
    """Read the committed parts of a job by shard; what is not in the answer is left to score.

    Raises `PartConflict` for a part that holds other rows than planned, or whose quarantine object
    is gone.
    """
    records = list_parts(store, fingerprint.digest, threads=threads)
    check_parts(records.values(), shards)
    _quarantine_objects(store, records.values())
    return records


def _quarantine_objects(store: ObjectStore, records: Iterable[PartRecord]) -> dict[str, ObjectInfo]:
    """Each quarantine object by key; raises `PartConflict` for a part without its own."""
    named = {
        record.provenance.quarantine: record.key
        for record in records
        if record.provenance.quarantine is not None
    }
    if not named:
        return {}
    found = {info.key: info for info in store.list(QUARANTINE_PREFIX)}
    for quarantine, part in named.items():
        if quarantine not in found:
            raise PartConflict(part, f"its quarantined rows in {quarantine} are gone")
    return {quarantine: found[quarantine] for quarantine in named}


def _switch(store: ObjectStore, manifest: Manifest, *, replace: bool) -> Manifest:
    """Make `manifest` the published one, or return the one of another run of the same job.

    1. Nothing published: put, unless something appears meanwhile.
    2. The same parts published: that manifest counts.
    3. Another job took the output over since we looked last: `JobSuperseded`.
    4. Other parts of this job: switch, the old one describes objects that are gone.
    5. Another job: switch when replacing, else `OutputOccupied`.
    """
    data = manifest.model_dump_json(indent=1).encode()
    for _ in range(PUBLISH_TRIES):
        found = read_manifest(store)
        if found is not None and found[0].same_parts(manifest):
            return found[0]
        # After the reading: who publishes from here on changes the ETag that the switch asks for.
        check_claim(store, manifest.components)
        if found is None:
            with suppress(AmbiguousPut):
                store.put_if_absent(MANIFEST_KEY, data)
            continue
        current, info = found
        if current.fingerprint != manifest.fingerprint and not replace:
            changed = differences(current.components, manifest.components)
            raise OutputOccupied(store.uri, "another job's published scores", changed)
        with suppress(AmbiguousPut):
            store.replace(MANIFEST_KEY, data, if_etag=info.etag)
    found = read_manifest(store)
    if found is not None and found[0].same_parts(manifest):
        return found[0]
    raise StoreUnavailable(f"{store.uri}/{MANIFEST_KEY}", f"{PUBLISH_TRIES} puts had no effect")


def finish_publication(store: ObjectStore, manifest: Manifest) -> None:
    """Put the marker of a published manifest, then remove what no longer counts.

    To be called again on a whole published output: a run that was killed between manifest and
    marker is finished so. Only names that Nightshift writes are removed, and nothing while another
    job works towards replacing this output, nor once it has: nothing is done then.

    No store removes an object on a condition. A run that sleeps before a removal, and wakes when
    the replaced job was asked for again and published, does no harm: that job's objects have other
    names then (see `Fingerprint.replaced`).
    """
    # In this order: a job puts its record before its parts, and takes it away after its manifest.
    # So what was listed of another job's shows in one of the two looks that follow.
    objects = [info.key for info in store.list()]
    records = [info.key for info in store.list("_job-")]
    found = read_manifest(store)
    if found is None or found[0].fingerprint != manifest.fingerprint:
        return
    published, info = found
    _mark(store, published.fingerprint, info)
    own_record = job_key(published.components)
    if any(JOB_NAME.match(key) and key != own_record for key in records):
        return
    keep = published.objects()
    gone = [key for key in objects if key not in keep and _is_ours(key)]
    # Parts first: a part whose quarantined rows are gone could not be adopted any more.
    gone.sort(key=lambda key: key.startswith(QUARANTINE_PREFIX))
    for key in [*gone, own_record]:
        if store.stat(MANIFEST_KEY) != info:
            return
        store.delete(key)
    store.clear_scratch()


def _mark(store: ObjectStore, fingerprint: str, manifest: ObjectInfo) -> None:
    """Have the marker name the published job, for as long as `manifest` is what is published."""
    content = f"{fingerprint}\n".encode()
    for last in (False,) * PUBLISH_TRIES + (True,):
        marker = _read_marker(store)
        # After the reading: who marks another manifest from here on changes the marker's ETag.
        if (marker and marker.data == content) or store.stat(MANIFEST_KEY) != manifest:
            return
        if last:
            break
        with suppress(AmbiguousPut):
            if marker is None:
                store.put_if_absent(SUCCESS_KEY, content)
            else:
                store.replace(SUCCESS_KEY, content, if_etag=marker.info.etag)
    raise StoreUnavailable(f"{store.uri}/{SUCCESS_KEY}", f"{PUBLISH_TRIES} puts had no effect")


def _read_marker(store: ObjectStore) -> Tail | None:
    try:
        return store.read_tail(SUCCESS_KEY, 2**10)
    except NoSuchObject:
        return None


def _is_ours(key: str) -> bool:
    """Whether only Nightshift writes such a name, and only for one job; not the job's record."""
    name = key.removeprefix(QUARANTINE_PREFIX)
    return (
        bool(PART_NAME.match(key))
        or key.startswith(PROBE_PREFIX)
        or is_slice_object(key)
        or (key.startswith(QUARANTINE_PREFIX) and name.startswith("part-"))
    )
