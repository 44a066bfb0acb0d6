"""Take back what an attempt wrote that must not count."""

from contextlib import suppress

from flows.shards.commit import read_part
from flows.shards.errors import NoSuchObject, PartConflict, StoreError
from flows.shards.object_store import ObjectStore
from flows.shards.quarantine import quarantine_key


def withdraw_attempt(store: ObjectStore, part: str, write_id: str) -> None:
    """Remove the attempt's quarantine object, after the part `part` if that is its own.

    For an attempt that lost, or whose job was superseded. A part with another write id stays. Safe
    to repeat. Fails open: what the store will not remove now is named by no manifest.
    """
    with suppress(StoreError):
        if _wrote(store, part, write_id):
            store.delete(part)
        store.delete(quarantine_key(part, write_id))


def _wrote(store: ObjectStore, part: str, write_id: str) -> bool:
    try:
        return read_part(store, part).provenance.write_id == write_id
    except (NoSuchObject, PartConflict):
        return False
