"""Decide whether a job may write to an output, before anything is scored."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError

from flows.shards.commit import PART_NAME, read_part
from flows.shards.errors import (
    JobSuperseded,
    NoSuchObject,
    OutputInsideInput,
    OutputNotWritable,
    OutputOccupied,
    PartConflict,
    StoreUnavailable,
)
from flows.shards.fingerprint import Fingerprint, differences
from flows.shards.manifest import MANIFEST_KEY, Cut, Manifest, read_manifest
from flows.shards.mending import is_whole, remove_damaged
from flows.shards.object_store import ObjectInfo, ObjectStore
from flows.shards.slice_objects import remove_slice_objects
from flows.shards.visibility import is_hidden

JOB_NAME = re.compile(r"^_job-(?P<fingerprint>[0-9a-f]{12})\.json$")
"""Names of the records of unfinished jobs, in the output's root."""
CLAIM_TRIES = 5
"""Claims of an output; each fails only when somebody publishes there meanwhile."""


class JobRecord(BaseModel):
    """What an unfinished job says of itself in its output."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    fingerprint: Fingerprint
    """Everything that determines its output."""
    cut: Cut
    """How it cuts the dataset; a resumed job keeps it, whatever the settings say by then."""
    started_at: datetime
    """When it first claimed the output, in UTC."""
    lineage: dict[str, Any] = {}
    """Who asked for it: JSON values only."""


@dataclass(frozen=True, slots=True)
class Claim:
    """The right to write a job's parts to an output."""

    fingerprint: Fingerprint
    """The job's, with what it replaces."""
    cut: Cut
    """How to cut the dataset: the first run's choice."""
    started_at: datetime
    """When the job first claimed the output."""
    published: Manifest | None
    """The job's own published output, whole: nothing is left to do."""
    conditional_writes: bool
    """Whether the store refuses a second part of the same name; see `object_store`."""


def job_key(fingerprint: Fingerprint) -> str:
    """Name the record of an unfinished job."""
    return f"_job-{fingerprint.short}.json"


def claim_output(
    store: ObjectStore,
    fingerprint: Fingerprint,
    cut: Cut,
    *,
    replace: bool,
    now: datetime,
    lineage: Mapping[str, Any],
) -> Claim:
    """Claim the output for a job, or say who holds it.

    1. Published by this job, every object there: the claim carries the manifest.
    2. Published by this job, an object gone or changed: claimed again, to be put right. A part
       whose bytes are not those that were written is removed, so that it is scored again.
    3. Published by another job, or another job unfinished: `OutputOccupied`, unless `replace`;
       then the other's record is removed, so that it stops, and its objects go at publication.
    4. Anything else called `*.parquet`: `OutputOccupied`; such files are never removed.
    5. Nothing, or this job unfinished: claimed.

    Two different jobs that claim at the same instant may both be refused, never both accepted
    (on a store with conditional writes). A job that replaces a published one has another
    fingerprint from then on, which the claim tells. Raises `OutputNotWritable` too. Safe to repeat.
    """
    _check_apart(store.uri, fingerprint)
    wanted = JobRecord(fingerprint=fingerprint, cut=cut, started_at=now, lineage=dict(lineage))
    try:
        return _claim(store, wanted, replace=replace)
    finally:
        # Nobody may score after this: a look ahead, or a job that is refused.
        store.clear_scratch()


def _claim(store: ObjectStore, wanted: JobRecord, *, replace: bool) -> Claim:
    probe = store.probe()
    if not probe.writable:
        raise OutputNotWritable(store.uri, probe.detail)
    for _ in range(CLAIM_TRIES):
        if claim := _claim_once(store, wanted, probe.conditional_writes, replace=replace):
            return claim
    raise StoreUnavailable(f"{store.uri}/{MANIFEST_KEY}", "it is published again and again")


def _claim_once(
    store: ObjectStore, wanted: JobRecord, conditional_writes: bool, *, replace: bool
) -> Claim | None:
    """Claim as `claim_output` says; None when something was published meanwhile."""
    objects = {info.key: info for info in store.list()}
    _check_foreign(store.uri, objects)
    published = read_manifest(store)
    manifest = published[0] if published else None
    fingerprint = wanted.fingerprint.over(manifest.components if manifest else None)
    wanted = wanted.model_copy(update={"fingerprint": fingerprint})
    if manifest is not None and manifest.fingerprint == fingerprint.digest:
        if is_whole(manifest, objects):
            begun = manifest.started_at
            return Claim(fingerprint, manifest.cut, begun, manifest, conditional_writes)
        wanted = wanted.model_copy(update={"cut": manifest.cut})
    elif manifest is not None and not replace:
        changed = differences(manifest.components, fingerprint)
        raise OutputOccupied(store.uri, "another job's published scores", changed)
    _settle_unfinished(store, fingerprint, manifest, objects, replace=replace)
    record = _put_record(store, wanted, published[1] if published else None)
    if record is None:
        return None
    if manifest is not None and manifest.fingerprint == fingerprint.digest:
        remove_damaged(store, manifest, objects)
    return Claim(fingerprint, record.cut, record.started_at, None, conditional_writes)


def _check_apart(uri: str, fingerprint: Fingerprint) -> None:
    """Refuse an output whose parts the next run would read as input, or the other way round."""
    source = fingerprint.input_uri
    inside, around = _below(uri, source), _below(source, uri)
    if inside is not None and not is_hidden(inside):
        raise OutputInsideInput(uri, source)
    if around is not None and not is_hidden(around):
        raise OutputOccupied(uri, f"the input {source}", [], replaceable=False)


def _below(uri: str, root: str) -> str | None:
    """Return the path by which `uri` lies in `root`; None when it does not."""
    if uri == root:
        return ""
    return uri.removeprefix(f"{root}/") if uri.startswith(f"{root}/") else None


def _check_foreign(uri: str, objects: Mapping[str, ObjectInfo]) -> None:
    foreign = [
        key
        for key in objects
        if key.endswith(".parquet") and not PART_NAME.match(key) and not is_hidden(key)
    ]
    if foreign:
        more = f" and {len(foreign) - 1} more files" if len(foreign) > 1 else ""
        holder = f"{foreign[0]}{more}, which no job wrote"
        raise OutputOccupied(uri, holder, [], replaceable=False)


def _settle_unfinished(
    store: ObjectStore,
    fingerprint: Fingerprint,
    manifest: Manifest | None,
    objects: Mapping[str, ObjectInfo],
    *,
    replace: bool,
) -> None:
    """Refuse beside an unfinished other job, or end it when replacing is asked for."""
    known = {fingerprint.short, manifest.fingerprint[:12] if manifest else ""}
    for key in _other_records(objects, fingerprint):
        if not replace:
            raise OutputOccupied(store.uri, *_unfinished(store, key, fingerprint))
        store.delete(key)
    orphans = [
        key
        for key in objects
        if (name := PART_NAME.match(key)) and name["fingerprint"] not in known
    ]
    if orphans and not replace:
        holder = f"{len(orphans)} parts of an unfinished job"
        raise OutputOccupied(store.uri, holder, _about_part(store, orphans[0], fingerprint))


def _other_records(keys: Mapping[str, object], fingerprint: Fingerprint) -> list[str]:
    return [key for key in keys if JOB_NAME.match(key) and key != job_key(fingerprint)]


def _unfinished(
    store: ObjectStore, key: str, fingerprint: Fingerprint
) -> tuple[str, Sequence[str]]:
    """Say which job left the record at `key`, with what differs."""
    try:
        record = JobRecord.model_validate_json(store.read(key))
    except (ValidationError, NoSuchObject):
        return f"{key} of an unfinished job", []
    since = f"{record.started_at:%Y-%m-%d %H:%M} UTC"
    return f"an unfinished job begun {since}", differences(record.fingerprint, fingerprint)


def _about_part(store: ObjectStore, key: str, fingerprint: Fingerprint) -> list[str]:
    try:
        own = read_part(store, key).provenance
    except (PartConflict, NoSuchObject):
        return [f"{key} cannot be read"]
    ours = f"{fingerprint.model.name}@{fingerprint.model.version}"
    if own.model != ours:
        return [f"model {own.model} → {ours}"]
    return [f"{key} was made from {own.source} ({own.source_etag}) with {own.model}"]


def _put_record(
    store: ObjectStore, wanted: JobRecord, published: ObjectInfo | None
) -> JobRecord | None:
    """Put the job's record or find the one of its first run; then look who else came.

    None, with nothing done, when `published` is no longer what is published: another job may have
    come, finished and taken its record away between our look and our record.
    """
    key = job_key(wanted.fingerprint)
    created = _put_small(store, key, wanted.model_dump_json(indent=1).encode())
    others = _other_records({info.key: info for info in store.list("_job-")}, wanted.fingerprint)
    if others:
        if created:
            store.delete(key)
        holder, changed = _unfinished(store, others[0], wanted.fingerprint)
        raise OutputOccupied(store.uri, holder, changed)
    if store.stat(MANIFEST_KEY) != published:
        if created:
            store.delete(key)
        return None
    if created:
        return wanted
    try:
        return JobRecord.model_validate_json(store.read(key))
    except ValidationError as error:
        holder = f"a {key} that cannot be read"
        raise OutputOccupied(store.uri, holder, [], replaceable=False) from error


def _put_small(store: ObjectStore, key: str, data: bytes) -> bool:
    """Put a small object; whether it is ours, also when the answer was lost."""
    try:
        if store.put_if_absent(key, data):
            return True
    except StoreUnavailable:
        if store.stat(key) is None:
            raise
    return store.read(key) == data


def check_claim(store: ObjectStore, fingerprint: Fingerprint) -> None:
    """Raise `JobSuperseded` when another job has taken the output over.

    To be called before each commit and before publishing: one request, some more in the rare cases
    that the job's record is gone:

    1. This job's output is published: another run of it finished.
    2. Another job's output is published, or another job's record is there: superseded.
    3. Nobody is there: another run of this job failed and withdrew.
    """
    if store.stat(job_key(fingerprint)) is not None:
        return
    if published := read_manifest(store):
        superseded = published[0].fingerprint != fingerprint.digest
    else:
        records = {info.key: info for info in store.list("_job-")}
        superseded = bool(_other_records(records, fingerprint))
    if superseded:
        raise JobSuperseded(store.uri, fingerprint.digest)


def withdraw_claim(store: ObjectStore, fingerprint: Fingerprint) -> bool:
    """Give the output up when nothing was committed, so that another job may take it.

    False when parts are there: they are kept for the job's next run. The scratch folders go in
    either case.
    """
    try:
        for info in store.list("part-"):
            name = PART_NAME.match(info.key)
            if name and name["fingerprint"] == fingerprint.short:
                return False
        store.delete(job_key(fingerprint))
        remove_slice_objects(store, fingerprint.digest)
        return True
    finally:
        store.clear_scratch()
