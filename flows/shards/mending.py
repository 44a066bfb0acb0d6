"""Take out of a published output what was damaged, so that it is scored again."""

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing

from flows.shards.commit import read_part
from flows.shards.digests import digest_of_start
from flows.shards.errors import InputChanged, NoSuchObject, PartConflict
from flows.shards.manifest import Manifest, ManifestPart
from flows.shards.object_store import ObjectInfo, ObjectStore

_THREADS = 8
"""Objects read at a time: a local disk, or a link to S3, is busy then."""


def is_whole(manifest: Manifest, objects: Mapping[str, ObjectInfo]) -> bool:
    """Whether every object of the manifest is there and is the published one, by its ETag.

    A manifest of an earlier release does not tell the ETags of quarantine objects.
    """
    return all(
        _is_published_part(part, objects) and _is_published_quarantine(part, objects)
        for part in manifest.parts
    )


def remove_damaged(
    store: ObjectStore, manifest: Manifest, objects: Mapping[str, ObjectInfo]
) -> list[str]:
    """Remove the parts whose bytes, or those of their quarantine object, are not as written.

    Only objects with another ETag than the published one are read: a copied output is read whole,
    once, and stays as it is. Parts of an earlier release, without digests, stay too. Returns what
    was removed. For a job that holds the output; safe to repeat.

    No store removes an object on a condition. When two runs of the job mend at the same time, one
    may remove the part that the other has just made again: it scores that shard itself.
    """
    with ThreadPoolExecutor(_THREADS) as threads:
        damaged = threads.map(lambda part: _is_damaged(store, part, objects), manifest.parts)
        found = [part for part, bad in zip(manifest.parts, damaged, strict=True) if bad]
    removed = []
    for part in found:
        # Asked again: another run of the job may have put the part right meanwhile.
        if store.stat(part.key) == objects[part.key]:
            store.delete(part.key)
            removed.append(part.key)
    return removed


def _is_published_part(part: ManifestPart, objects: Mapping[str, ObjectInfo]) -> bool:
    return objects.get(part.key) == ObjectInfo(part.key, part.bytes, part.etag)


def _is_published_quarantine(part: ManifestPart, objects: Mapping[str, ObjectInfo]) -> bool:
    if part.quarantine is None:
        return True
    found = objects.get(part.quarantine)
    if found is None or part.quarantine_etag is None:
        return found is not None
    return found == ObjectInfo(part.quarantine, part.quarantine_bytes, part.quarantine_etag)


def _is_damaged(store: ObjectStore, part: ManifestPart, objects: Mapping[str, ObjectInfo]) -> bool:
    """Whether the bytes of an object that is there are not those that were written."""
    if part.key not in objects or part.footer_sha256 is None:
        return False
    try:
        return (
            not _is_published_part(part, objects) and _differs(store, part, objects[part.key])
        ) or (
            not _is_published_quarantine(part, objects)
            and _quarantine_differs(store, part, objects)
        )
    except (InputChanged, NoSuchObject):
        return False  # another run of the job is at work on it


def _differs(store: ObjectStore, part: ManifestPart, found: ObjectInfo) -> bool:
    """Compare a part with its digests; a later attempt's copy with its own."""
    try:
        record = read_part(store, part.key)
    except PartConflict:
        return True
    own = record.provenance
    if own.write_id == part.write_id and record.footer_sha256 != part.footer_sha256:
        return True
    if record.data_sha256 is None:
        return False
    with closing(store.open(part.key, found.etag)) as source:
        return digest_of_start(source, record.data_bytes) != record.data_sha256


def _quarantine_differs(
    store: ObjectStore, part: ManifestPart, objects: Mapping[str, ObjectInfo]
) -> bool:
    found = objects.get(part.quarantine or "")
    if found is None or part.quarantine_sha256 is None:
        return False
    with closing(store.open(found.key, found.etag)) as source:
        return digest_of_start(source, found.size) != part.quarantine_sha256
