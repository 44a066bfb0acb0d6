"""A damaged part is found and scored again; one that was only copied is not."""

import hashlib
import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from flows.shards.commit import read_part
from flows.shards.dataset import Dataset
from flows.shards.digests import DIGEST_KEY
from flows.shards.manifest import MANIFEST_KEY, Manifest
from flows.shards.object_store import ObjectStore
from tests.contracts.memory_object_store import MemoryObjectStore
from tests.faults.failpoints import FailPoint, FailPointStore, InjectedFailure, fail
from tests.flows.shards.jobs import Job, rows_of


def published(job: Job) -> Manifest:
    """Do the whole job."""
    manifest = job.run()
    assert manifest is not None
    return manifest


def flip(store: ObjectStore, key: str, position: int) -> None:
    """Change one byte of an object."""
    data = bytearray(store.read(key))
    data[position] ^= 0xFF
    store.replace(key, bytes(data), if_etag=None)


def copy(store: ObjectStore, key: str) -> None:
    """Give an object another ETag, as a copy has."""
    info = store.stat(key)
    store.replace(key, store.read(key), if_etag=None)
    assert store.stat(key) != info


def scores(job: Job, manifest: Manifest) -> list[dict[str, object]]:
    """Every published row."""
    return rows_of(job.output, [part.key for part in manifest.parts])


@pytest.mark.parametrize("position", [100, -20, -1])
def test_damaged_part(dataset: Dataset, output: ObjectStore, scratch: Path, position: int) -> None:
    """A byte of its data, of its footer or of its end: that part is scored again, no other."""
    job = Job(dataset, output, scratch)
    first = published(job)
    rows = scores(job, first)
    flip(output, first.parts[1].key, position)
    scored: list[int] = []
    mended = job.run(scored=scored)
    assert mended is not None
    assert (scored, scores(job, mended)) == ([1], rows)
    assert mended.parts[0] == first.parts[0]
    assert mended.parts[1].write_id != first.parts[1].write_id
    assert {info.key for info in output.list()} == {MANIFEST_KEY, "_SUCCESS"} | mended.objects()
    assert job.run() == mended


def test_damaged_quarantine(job: Job) -> None:
    """Quarantined rows that were changed are written again, with their part."""
    first = published(job)
    lost = first.parts[0].quarantine
    assert lost is not None
    rows = rows_of(job.output, [lost])
    flip(job.output, lost, 100)
    scored: list[int] = []
    mended = job.run(scored=scored)
    assert mended is not None
    assert scored == [0]
    again = mended.parts[0].quarantine
    assert again is not None
    assert rows_of(job.output, [again]) == rows
    assert job.output.stat(lost) is None


def test_copied_output(job: Job) -> None:
    """Other ETags everywhere and the same bytes: verified, told in the manifest, not scored."""
    first = published(job)
    for key in sorted(first.objects()):
        copy(job.output, key)
    scored: list[int] = []
    again = job.run(scored=scored)
    assert again is not None
    assert scored == []
    assert [part.footer_sha256 for part in again.parts] == [
        part.footer_sha256 for part in first.parts
    ]
    assert [part.etag for part in again.parts] != [part.etag for part in first.parts]
    assert job.run() == again


def test_digests_chain_from_the_manifest(job: Job) -> None:
    """The manifest holds the footer's digest, the footer that of all before it."""
    for part in published(job).parts:
        data = job.output.read(part.key)
        length = int.from_bytes(data[-8:-4], "little") + 8
        assert part.footer_sha256 == hashlib.sha256(data[-length:]).hexdigest()
        metadata = pq.read_metadata(pa.BufferReader(data)).metadata
        told = metadata[DIGEST_KEY.encode()].decode()
        assert told == hashlib.sha256(data[:-length]).hexdigest()
        if part.quarantine is not None:
            bad = job.output.read(part.quarantine)
            assert part.quarantine_sha256 == hashlib.sha256(bad).hexdigest()


def test_output_of_an_earlier_release(job: Job) -> None:
    """A manifest without digests is read, and its parts are verified by their footers."""
    first = published(job)
    told = json.loads(job.output.read(MANIFEST_KEY))
    for part in told["parts"]:
        for name in ("footer_sha256", "quarantine_etag", "quarantine_sha256"):
            del part[name]
    job.output.replace(MANIFEST_KEY, json.dumps(told).encode(), if_etag=None)
    scored: list[int] = []
    again = job.run(scored=scored)
    assert again is not None
    assert (again.rows_ok, again.parts[0].footer_sha256) == (first.rows_ok, None)
    copy(job.output, first.parts[0].key)
    renewed = job.run(scored=scored)
    assert renewed is not None
    assert scored == []
    assert renewed.parts == published(job).parts
    assert renewed.parts[0].footer_sha256 == first.parts[0].footer_sha256


@pytest.mark.parametrize("damaged", [False, True])
def test_copy_of_a_later_attempt(job: Job, damaged: bool) -> None:
    """Where a store overwrites, another attempt's part counts, as far as it is intact."""
    first = published(job)
    key = first.parts[3].key
    path, write_id = job.build(job.shards(job.claim())[3])
    job.output.replace(key, path.read_bytes(), if_etag=None)
    if damaged:
        flip(job.output, key, 100)
    scored: list[int] = []
    mended = job.run(scored=scored)
    assert mended is not None
    assert scored == ([3] if damaged else [])
    assert (mended.parts[3].write_id == write_id) is not damaged
    assert read_part(job.output, key).provenance.write_id == mended.parts[3].write_id


def test_killed_after_the_removal(
    dataset: Dataset, memory: MemoryObjectStore, scratch: Path
) -> None:
    """The next run finds the part missing and makes it."""
    job = Job(dataset, memory, scratch)
    first = published(job)
    flip(memory, first.parts[0].key, 100)
    flip(memory, first.parts[1].key, 100)

    here = FailPoint("after:delete:part", fail)
    with pytest.raises(InjectedFailure):
        Job(dataset, FailPointStore(memory, [here]), scratch).run()
    scored: list[int] = []
    assert job.run(scored=scored) is not None
    assert scored == [0, 1]


def test_put_right_meanwhile(dataset: Dataset, memory: MemoryObjectStore, scratch: Path) -> None:
    """A part that another run of the job put right between our two looks is left alone."""
    job = Job(dataset, memory, scratch)
    first = published(job)
    flip(memory, first.parts[0].key, 100)
    mended: list[Manifest | None] = []
    here = FailPoint("before:stat:part", lambda: mended.append(job.run()))
    scored: list[int] = []
    found = Job(dataset, FailPointStore(memory, [here]), scratch).run(scored=scored)
    assert (found, scored) == (mended[0], [])
