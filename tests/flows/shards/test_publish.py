"""Publishing shows a whole output at once, and leaves nothing but what counts."""

import json
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest

from flows.shards.claim import Claim, job_key
from flows.shards.commit import part_key
from flows.shards.dataset import Dataset
from flows.shards.errors import (
    AmbiguousPut,
    IncompleteOutput,
    JobSuperseded,
    OutputOccupied,
    PartConflict,
    StoreUnavailable,
)
from flows.shards.manifest import MANIFEST_KEY, SUCCESS_KEY, Manifest, read_manifest
from flows.shards.object_store import ObjectStore, open_store
from flows.shards.publish import finish_publication
from flows.shards.settings import S3Settings
from tests.contracts.memory_object_store import MemoryObjectStore
from tests.faults.failpoints import FailPoint, FailPointStore, InjectedFailure, fail
from tests.flows.shards.jobs import CUT, NOW, Job, dataset_at, rows_of


def keys(store: ObjectStore) -> list[str]:
    """Every key of a store."""
    return [info.key for info in store.list()]


def published_keys(manifest: Manifest) -> list[str]:
    """Everything that a published output holds."""
    return sorted({*manifest.objects(), MANIFEST_KEY, SUCCESS_KEY})


def manifest_in(store: ObjectStore) -> Manifest:
    """The manifest that readers of an output see."""
    found = read_manifest(store)
    assert found is not None
    return found[0]


def score_all(job: Job) -> Claim:
    """Commit every part."""
    claim = job.claim()
    for shard in job.shards(claim):
        job.score(shard)
    return claim


def test_published_output(dataset: Dataset, output: ObjectStore, scratch: Path) -> None:
    """Parts in input order, quarantine, manifest and marker, nothing else, on every store."""
    job = Job(dataset, output, scratch)
    manifest = job.run()
    assert manifest is not None
    assert keys(output) == published_keys(manifest)
    assert output.read(SUCCESS_KEY).decode() == f"{job.fingerprint.digest}\n"
    scored = rows_of(output, [part.key for part in manifest.parts])
    assert scored == [{"id": i, "score": float(i)} for i in range(250) if i % 10]
    failed = rows_of(output, [part.quarantine for part in manifest.parts if part.quarantine])
    assert [row["id"] for row in failed] == list(range(0, 250, 10))


def test_manifest_tells_everything(job: Job) -> None:
    """Counts, lineage, fingerprint with components, timings; the file is plain JSON."""
    manifest = job.run()
    assert manifest is not None
    assert (manifest.rows_in, manifest.rows_ok, manifest.rows_quarantined) == (250, 225, 25)
    assert manifest.reasons == {"null in delay": 25}
    assert manifest.components == job.fingerprint
    assert manifest.cut == CUT
    assert (manifest.started_at, manifest.published_at) == (NOW, NOW)
    assert manifest.lineage == {"asked_by": "test"}
    assert manifest.timings == {"score": 1.5}
    found = read_manifest(job.output)
    assert found is not None
    assert found[0] == manifest
    text = json.loads(job.output.read(MANIFEST_KEY))
    part = text["parts"][1]
    info = job.output.stat(part["key"])
    assert info is not None
    assert (part["bytes"], part["etag"]) == (info.size, info.etag)
    quarantine = job.output.stat(part["quarantine"])
    assert quarantine is not None
    assert part["quarantine_bytes"] == quarantine.size
    assert (part["source"], part["row_start"], part["rows_in"]) == ("month=1/a.parquet", 100, 20)
    assert text["fingerprint"] == job.fingerprint.digest
    assert text["bytes"] == sum(each["bytes"] for each in text["parts"])


def test_missing_parts(job: Job) -> None:
    """Nothing is published before every part is committed."""
    claim = job.claim()
    job.score(job.shards(claim)[0])
    with pytest.raises(IncompleteOutput, match=r"lacks 3 of 4 parts \(shards 1, 2, 3\)"):
        job.publish(claim)
    assert MANIFEST_KEY not in keys(job.output)


def test_dataset_without_rows(tmp_path: Path, memory: MemoryObjectStore, lake: Path) -> None:
    """No rows make no parts, and the output says so."""
    job = Job(dataset_at(lake / "month=2"), memory, tmp_path / "s")
    manifest = job.run()
    assert manifest is not None
    assert (manifest.rows_in, manifest.parts) == (0, ())
    assert keys(memory) == [SUCCESS_KEY, MANIFEST_KEY]
    assert job.run() == manifest


def test_losers_leave_nothing(job: Job) -> None:
    """The quarantine objects of attempts that lost, and of killed ones, are removed."""
    claim = score_all(job)
    shards = job.shards(claim)
    job.score(shards[0])
    job.build(shards[1])
    assert len([key for key in keys(job.output) if key.startswith("_quarantine/")]) == 6
    manifest = job.publish(claim)
    assert keys(job.output) == published_keys(manifest)


def test_scratch_of_killed_writers_goes(lake: Path, tmp_path: Path) -> None:
    """A local output keeps no scratch files of writers that died."""
    store = open_store(str(tmp_path / "out"), S3Settings())
    job = Job(dataset_at(lake), store, tmp_path / "s")
    folder = store.scratch_folder()
    assert folder is not None
    (folder / "left.parquet").write_bytes(b"half")
    store.put_if_absent("_probe-left", b"x")
    manifest = job.run()
    assert manifest is not None
    found = sorted(
        path.relative_to(tmp_path / "out").as_posix()
        for path in (tmp_path / "out").rglob("*")
        if path.is_file()
    )
    assert found == published_keys(manifest)
    assert not folder.exists()


def test_replacing(dataset: Dataset, output: ObjectStore, scratch: Path) -> None:
    """The manifest switches to the new job, and the old parts go after, on every store."""
    job = Job(dataset, output, scratch)
    old = job.run()
    assert old is not None
    other = Job(dataset, output, scratch, version=2)
    new = other.run(replace=True)
    assert new is not None
    assert keys(output) == published_keys(new)
    assert not {part.key for part in old.parts} & {part.key for part in new.parts}
    assert output.read(SUCCESS_KEY).decode() == f"{other.fingerprint.digest}\n"


def test_old_output_is_whole_until_the_switch(job: Job, dataset: Dataset, scratch: Path) -> None:
    """A replacement that was not published has taken nothing away."""
    old = job.run()
    assert old is not None
    other = Job(dataset, job.output, scratch, version=2)
    claim = other.claim(replace=True)
    other.score(other.shards(claim)[0])
    assert set(published_keys(old)) <= set(keys(job.output))
    assert manifest_in(job.output) == old


def test_two_runs_of_one_job_publish_once(job: Job) -> None:
    """The second finds the same parts published: the first manifest counts."""
    claim = score_all(job)
    first = job.publish(claim)
    before = job.output.list()
    assert job.publish(claim) == first
    assert job.output.list() == before


def test_other_job_published_meanwhile(job: Job, dataset: Dataset, scratch: Path) -> None:
    """A job that was overtaken publishes nothing, also when its record is still there."""
    claim = score_all(job)
    record = job.output.read(job_key(job.fingerprint))
    other = Job(dataset, job.output, scratch, version=2)
    theirs = other.run(replace=True)
    with pytest.raises(JobSuperseded):
        job.publish(claim)
    job.output.put_if_absent(job_key(job.fingerprint), record)
    for shard in job.shards(claim):
        job.score(shard)
    with pytest.raises(OutputOccupied, match="model delays@2 → delays@1"):
        job.publish(claim)
    assert manifest_in(job.output) == theirs


class Overtaken(MemoryObjectStore):
    """A store in which something happens just before the manifest is put or switched."""

    def __init__(self) -> None:
        super().__init__()
        self.meanwhile: list[Callable[[], object]] = []

    def put_if_absent(self, key: str, source: bytes | Path) -> bool:
        self._before(key)
        return super().put_if_absent(key, source)

    def replace(self, key: str, data: bytes, *, if_etag: str | None) -> bool:
        self._before(key)
        return super().replace(key, data, if_etag=if_etag)

    def _before(self, key: str) -> None:
        if key == MANIFEST_KEY and self.meanwhile:
            self.meanwhile.pop()()


@pytest.mark.parametrize("published", [True, False])
def test_two_replacing_jobs(dataset: Dataset, scratch: Path, published: bool) -> None:
    """The one that lost the claim just before its switch does not overwrite the other's output."""
    store = Overtaken()
    if published:
        Job(dataset, store, scratch, version=1).run()
    job, other = (Job(dataset, store, scratch, version=version) for version in (2, 3))
    claim = job.claim(replace=True)
    for shard in job.shards(claim):
        job.score(shard)
    store.meanwhile.append(lambda: other.run(replace=True))
    with pytest.raises(JobSuperseded):
        job.publish(claim, replace=True)
    theirs = manifest_in(store)
    assert theirs.components == other.fingerprint
    assert keys(store) == published_keys(theirs)


def test_killed_between_manifest_and_marker(job: Job) -> None:
    """The next look at a whole output finishes what was left, and is repeatable."""
    manifest = job.run()
    assert manifest is not None
    job.output.delete(SUCCESS_KEY)
    job.output.put_if_absent(part_key(7, "0" * 64), b"of an old job")
    for _ in range(2):
        finish_publication(job.output, manifest)
        assert keys(job.output) == published_keys(manifest)


def test_nothing_goes_while_a_replacement_runs(job: Job, dataset: Dataset, scratch: Path) -> None:
    """Finishing an old publication does not remove the parts of the job that replaces it."""
    manifest = job.run()
    assert manifest is not None
    other = Job(dataset, job.output, scratch, version=2)
    other.run(replace=True, only=lambda shard: shard.index == 0)
    before = job.output.list()
    finish_publication(job.output, manifest)
    assert job.output.list() == before


FINISHING = {
    "after:replace:manifest": 0,
    "before:list:other": 1,
    "after:list:other": 1,
    "before:list:job": 1,
    "after:list:job": 1,
    "before:read:success": 0,
    "after:read:success": 0,
    "before:replace:success": 0,
    "after:replace:success": 0,
    "before:delete:part": 0,
    "after:delete:part": 0,
    "before:delete:job": 0,
}
"""Moments after the manifest, with how often the like comes before; all that replacing passes."""


@pytest.mark.parametrize(("point", "skip"), FINISHING.items())
def test_replaced_while_it_finishes(
    dataset: Dataset, memory: MemoryObjectStore, scratch: Path, point: str, skip: int
) -> None:
    """A job that is overtaken between its manifest and its end touches nothing of the other's."""
    Job(dataset, memory, scratch, version=1).run()
    _overtake(dataset, memory, scratch, point, skip)


@pytest.mark.parametrize(
    ("point", "skip"),
    [
        (point.replace("replace:", "put:"), skip)
        for point, skip in FINISHING.items()
        if point != "after:read:success" and "delete:part" not in point
    ],
)
def test_first_to_publish_is_replaced_while_it_finishes(
    dataset: Dataset, memory: MemoryObjectStore, scratch: Path, point: str, skip: int
) -> None:
    """So it is with the first job of an output, which finds neither marker nor old parts."""
    _overtake(dataset, memory, scratch, point, skip)


def _overtake(dataset: Dataset, store: ObjectStore, scratch: Path, point: str, skip: int) -> None:
    """Have a third job replace the output at `point` of the second; its output must be whole."""
    rival = Job(dataset, store, scratch, version=3)
    reached: list[Manifest | None] = []
    here = FailPoint(point, lambda: reached.append(rival.run(replace=True)), skip)
    with suppress(JobSuperseded):
        Job(dataset, FailPointStore(store, [here]), scratch, version=2).run(replace=True)
    (theirs,) = reached
    assert theirs is not None
    assert manifest_in(store) == theirs
    assert store.read(SUCCESS_KEY).decode() == f"{rival.fingerprint.digest}\n"
    assert keys(store) == published_keys(theirs)


def test_asked_for_again_while_its_parts_are_removed(
    dataset: Dataset, memory: MemoryObjectStore, scratch: Path
) -> None:
    """It writes under other names, so that the removal under way takes nothing of it."""
    job = Job(dataset, memory, scratch)
    first = job.run()
    assert first is not None
    here = FailPoint("before:delete:part", lambda: job.run(replace=True))
    Job(dataset, FailPointStore(memory, [here]), scratch, version=2).run(replace=True)
    again = manifest_in(memory)
    assert again.components == job.fingerprint
    assert again.objects().isdisjoint(first.objects())
    assert keys(memory) == published_keys(again)
    scored: list[int] = []
    assert job.run(scored=scored) == again
    assert scored == []


@pytest.mark.parametrize("kind", ["part", "quarantine"])
def test_killed_while_old_objects_are_removed(
    dataset: Dataset, memory: MemoryObjectStore, scratch: Path, kind: str
) -> None:
    """A removal that stops anywhere leaves no part without its quarantine object."""
    old = Job(dataset, memory, scratch)
    for skip in range(4):
        assert old.run(replace=True) is not None
        here = FailPoint(f"before:delete:{kind}", fail, skip)
        with pytest.raises(InjectedFailure):
            Job(dataset, FailPointStore(memory, [here]), scratch, version=2).run(replace=True)
        manifest = old.run(replace=True)
        assert manifest is not None
        assert keys(memory) == published_keys(manifest)


def test_quarantine_gone_before_publishing(job: Job) -> None:
    """Rows that cannot be found again stop the publication."""
    claim = score_all(job)
    lost = next(key for key in keys(job.output) if key.startswith("_quarantine/"))
    job.output.delete(lost)
    with pytest.raises(PartConflict, match=lost):
        job.publish(claim)


class Losing(MemoryObjectStore):
    """A store that loses the answer to an object's put or replacement; `stored` or not."""

    lost = 0
    stored = True
    key = MANIFEST_KEY

    def put_if_absent(self, key: str, source: bytes | Path) -> bool:
        if key == self.key and self.lost:
            self.lost -= 1
            if self.stored:
                super().put_if_absent(key, source)
            raise AmbiguousPut(key, "no answer")
        return super().put_if_absent(key, source)

    def replace(self, key: str, data: bytes, *, if_etag: str | None) -> bool:
        if key == self.key and self.lost:
            self.lost -= 1
            if self.stored:
                super().replace(key, data, if_etag=if_etag)
            raise AmbiguousPut(key, "no answer")
        return super().replace(key, data, if_etag=if_etag)


@pytest.mark.parametrize("key", [MANIFEST_KEY, SUCCESS_KEY])
@pytest.mark.parametrize("stored", [True, False])
def test_lost_answers(dataset: Dataset, scratch: Path, stored: bool, key: str) -> None:
    """Putting and switching manifest and marker survive answers that never come."""
    store = Losing()
    store.stored, store.key = stored, key
    for version in (1, 2):
        store.lost = 2
        job = Job(dataset, store, scratch, version=version)
        manifest = job.run(replace=True)
        assert manifest is not None
        assert keys(store) == published_keys(manifest)


@pytest.mark.parametrize("key", [MANIFEST_KEY, SUCCESS_KEY])
def test_store_that_never_answers(dataset: Dataset, scratch: Path, key: str) -> None:
    """After some tries the store is said to be unavailable, and the parts stay."""
    store = Losing()
    store.lost, store.stored, store.key = 99, False, key
    job = Job(dataset, store, scratch)
    with pytest.raises(StoreUnavailable, match="puts had no effect"):
        job.run()
    store.lost = 0
    scored: list[int] = []
    assert job.run(scored=scored) is not None
    assert scored == []


@pytest.mark.parametrize("key", [MANIFEST_KEY, SUCCESS_KEY])
def test_last_try_counts(dataset: Dataset, scratch: Path, key: str) -> None:
    """A put that arrives with the last try is found."""
    from flows.shards.publish import PUBLISH_TRIES

    store = Losing()
    store.lost, store.stored, store.key = PUBLISH_TRIES - 1, False, key
    assert Job(dataset, store, scratch).run() is not None
