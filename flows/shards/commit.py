"""Publish a part once, whichever of its attempts comes first."""

import re
import time
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from flows.shards.digests import DIGEST_KEY, digest_of_bytes
from flows.shards.errors import AmbiguousPut, NoSuchObject, PartConflict, StoreUnavailable
from flows.shards.object_store import ObjectStore
from flows.shards.provenance import Provenance
from flows.shards.types import Shard

PART_NAME = re.compile(r"^part-(?P<shard>\d{5,})-(?P<fingerprint>[0-9a-f]{12})\.parquet$")
"""Names of parts, in the output's root."""
COMMIT_TRIES = 5
"""Puts and read-backs of one part before the attempt is given up: with pauses of 0.2 s doubling
it outlives a hiccup of 3 s, after which the shard's own retry is the better one."""
FOOTER_BYTES = 64 * 2**10
"""Bytes read from a part's end: footer and provenance fit but for very wide parts."""


@dataclass(frozen=True, slots=True)
class PartRecord:
    """A committed part, as the object itself tells it."""

    key: str
    """Its name in the output's root."""
    size: int
    """Bytes."""
    etag: str
    """Identity of the object."""
    provenance: Provenance
    """What its footer says."""
    footer_sha256: str
    """SHA-256 of the footer."""
    data_bytes: int
    """Bytes before the footer."""
    data_sha256: str | None
    """Their SHA-256, as the footer says; None in a part of an earlier release."""


@dataclass(frozen=True, slots=True)
class Committed:
    """The part is ours."""

    record: PartRecord
    """What was committed."""


@dataclass(frozen=True, slots=True)
class Adopted:
    """Another attempt had committed the part; ours leaves no trace."""

    record: PartRecord
    """The winner's."""


def part_key(shard: int, fingerprint: str) -> str:
    """Name the part of a shard: every attempt of the same job uses the same name."""
    return f"part-{shard:05d}-{fingerprint[:12]}.parquet"


def commit_part(
    store: ObjectStore,
    key: str,
    path: Path,
    write_id: str,
    *,
    sleep: Callable[[float], None] = time.sleep,
) -> Committed | Adopted:
    """Publish the scratch file at `path` as `key`, or adopt what is there.

    What the put answers does not decide: a refusal may follow our own success whose answer was
    lost. So the object is read back, and the write id in its footer tells whose it is.

    1. There, with our write id: committed, whatever the put said.
    2. There, with another write id: adopted.
    3. Not there after an answer that was none: put again.

    Safe to repeat with the same file. Raises `PartConflict` when the object is not a part of this
    job, `StoreUnavailable` when the store gives no clear answer in `COMMIT_TRIES` tries, and what
    the store raises.
    """
    fingerprint = _own(path, key, write_id).fingerprint
    unclear: Exception | None = None
    for attempt in range(COMMIT_TRIES):
        if attempt:
            sleep(0.2 * 2 ** (attempt - 1))
        try:
            record = _put_and_read(store, key, path)
        except (NoSuchObject, StoreUnavailable) as error:
            unclear = error
            continue
        if record.provenance.fingerprint != fingerprint:
            raise PartConflict(key, "it belongs to another job")
        ours = record.provenance.write_id == write_id
        return Committed(record) if ours else Adopted(record)
    raise StoreUnavailable(f"{store.uri}/{key}", f"after {COMMIT_TRIES} tries: {unclear}")


def _put_and_read(store: ObjectStore, key: str, path: Path) -> PartRecord:
    # Asked first, since a store refuses a body only after it was sent whole.
    if store.stat(key) is None:
        with suppress(AmbiguousPut):
            store.put_if_absent(key, path)
    return read_part(store, key)


def _own(path: Path, key: str, write_id: str) -> Provenance:
    own = Provenance.from_metadata(pq.read_metadata(path).metadata)
    if own.write_id != write_id or part_key(own.shard, own.fingerprint) != key:
        raise ValueError(f"{path} was written as {own.write_id} for shard {own.shard}, not {key}")
    return own


def read_part(store: ObjectStore, key: str) -> PartRecord:
    """Read a part's record from its footer, without its rows.

    Raises `NoSuchObject`, and `PartConflict` when the object is no part that Nightshift wrote.
    """
    tail = store.read_tail(key, FOOTER_BYTES)
    length = int.from_bytes(tail.data[-8:-4], "little") + 8
    if len(tail.data) < length <= tail.info.size:
        tail = store.read_tail(key, length)
    try:
        metadata = pq.read_metadata(pa.BufferReader(tail.data))
        provenance = Provenance.from_metadata(metadata.metadata)
    except (pa.ArrowException, OSError, ValueError) as error:
        raise PartConflict(key, str(error)) from error
    if metadata.num_rows != provenance.rows_ok:
        raise PartConflict(key, f"it holds {metadata.num_rows} rows, not {provenance.rows_ok}")
    digest = metadata.metadata.get(DIGEST_KEY.encode())
    return PartRecord(
        key,
        tail.info.size,
        tail.info.etag,
        provenance,
        footer_sha256=digest_of_bytes(tail.data[-length:]),
        data_bytes=tail.info.size - length,
        data_sha256=None if digest is None else digest.decode(),
    )


def list_parts(store: ObjectStore, fingerprint: str, *, threads: int) -> dict[int, PartRecord]:
    """Read the records of a job's committed parts, by shard, from their footers alone.

    `fingerprint` is the job's digest. Raises `PartConflict` for an object that has a part's name
    and is not that part.
    """
    keys = [
        info.key
        for info in store.list("part-")
        if (name := PART_NAME.match(info.key)) and name["fingerprint"] == fingerprint[:12]
    ]
    with ThreadPoolExecutor(threads) as pool:
        records = list(pool.map(lambda key: read_part(store, key), keys))
    for record in records:
        own = record.provenance
        if own.fingerprint != fingerprint or part_key(own.shard, fingerprint) != record.key:
            raise PartConflict(record.key, "its footer names another job or shard")
    return {record.provenance.shard: record for record in records}


def check_parts(parts: Iterable[PartRecord], shards: Iterable[Shard]) -> None:
    """Raise `PartConflict` for a part that does not hold exactly its shard's rows."""
    planned = {shard.index: shard for shard in shards}
    for record in parts:
        shard = planned.get(record.provenance.shard)
        if shard is None or not record.provenance.is_of(shard):
            raise PartConflict(record.key, "it holds other rows than the plan says")
