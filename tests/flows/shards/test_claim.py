"""An output belongs to one job, and a refusal says who holds it and what differs."""

import os
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from flows.shards.claim import JobRecord, check_claim, job_key, withdraw_claim
from flows.shards.commit import part_key
from flows.shards.dataset import Dataset
from flows.shards.errors import (
    AmbiguousPut,
    JobSuperseded,
    OutputInsideInput,
    OutputNotWritable,
    OutputOccupied,
    PartConflict,
    StoreUnavailable,
)
from flows.shards.manifest import MANIFEST_KEY, Cut
from flows.shards.object_store import ObjectStore, StoreProbe, Tail, open_store
from flows.shards.object_store_local import LocalStore
from flows.shards.provenance import Provenance
from flows.shards.publish import verify_parts
from flows.shards.settings import S3Settings
from flows.shards.types import Shard
from tests.contracts.memory_object_store import MemoryObjectStore
from tests.faults.failpoints import FailPoint, FailPointStore
from tests.flows.shards.jobs import CUT, NOW, Job, dataset_at, write_lake


def keys(store: ObjectStore) -> list[str]:
    """Every key of a store."""
    return [info.key for info in store.list()]


def refused(job: Job, *, replace: bool = False) -> str:
    """Claim an output that is taken; returns the one line that says why."""
    before = job.output.list()
    with pytest.raises(OutputOccupied) as caught:
        job.claim(replace=replace)
    assert "\n" not in str(caught.value)
    assert job.output.list() == before
    return str(caught.value)


def test_empty_output(dataset: Dataset, output: ObjectStore, scratch: Path) -> None:
    """A free output is claimed by a record that says everything of the job, on every store."""
    job = Job(dataset, output, scratch)
    claim = job.claim()
    assert (claim.cut, claim.started_at, claim.published) == (CUT, NOW, None)
    assert claim.conditional_writes == output.probe().conditional_writes
    assert keys(output) == [job_key(job.fingerprint)]
    record = JobRecord.model_validate_json(output.read(job_key(job.fingerprint)))
    assert record == JobRecord(
        fingerprint=job.fingerprint, cut=CUT, started_at=NOW, lineage={"asked_by": "test"}
    )
    check_claim(output, job.fingerprint)


def test_resumed_job_keeps_its_cut(job: Job) -> None:
    """Other shard sizes in the settings do not change the plan of a job that has begun."""
    first = job.claim()
    job.cut = Cut(shard_rows=1, shard_bytes=1)
    again = job.claim()
    assert (again.cut, again.started_at) == (first.cut, first.started_at)


def test_killed_job_continues(dataset: Dataset, output: ObjectStore, scratch: Path) -> None:
    """Only what was not committed is scored, on every store."""
    job = Job(dataset, output, scratch)
    assert job.run(only=lambda shard: shard.index != 1) is None
    scored: list[int] = []
    assert job.run(scored=scored) is not None
    assert scored == [1]


def test_same_job_again_does_nothing(dataset: Dataset, output: ObjectStore, scratch: Path) -> None:
    """A published job is verified and not scored, on every store."""
    job = Job(dataset, output, scratch)
    published = job.run()
    before = output.list()
    scored: list[int] = []
    assert job.run(scored=scored) == published
    assert (scored, output.list()) == ([], before)


def test_published_with_another_cut(job: Job) -> None:
    """The shard size does not change what was published."""
    published = job.run()
    job.cut = Cut(shard_rows=1, shard_bytes=1)
    assert job.run() == published


def test_lost_part_is_scored_again(job: Job) -> None:
    """A published output with a part gone is put right, not declared whole."""
    published = job.run()
    assert published is not None
    job.output.delete(published.parts[1].key)
    scored: list[int] = []
    mended = job.run(scored=scored)
    assert scored == [1]
    assert mended is not None
    assert mended.rows_ok == published.rows_ok
    assert mended.parts[0] == published.parts[0]
    assert mended.parts[1].write_id != published.parts[1].write_id
    assert job.run() == mended


def test_copied_output_is_verified_by_its_footers(lake: Path, tmp_path: Path) -> None:
    """Parts whose times of change were lost are the same parts; nothing is scored."""
    store = open_store(str(tmp_path / "out"), S3Settings())
    job = Job(dataset_at(lake), store, tmp_path / "s")
    published = job.run()
    assert published is not None
    os.utime(tmp_path / "out" / published.parts[0].key)
    scored: list[int] = []
    again = job.run(scored=scored)
    assert scored == []
    assert again is not None
    assert again.parts[0].etag != published.parts[0].etag
    assert again.rows_ok == published.rows_ok


def test_lost_quarantine_is_a_conflict(job: Job) -> None:
    """A part whose quarantined rows are gone names what to remove."""
    published = job.run()
    assert published is not None
    quarantine = published.parts[0].quarantine
    assert quarantine is not None
    job.output.delete(quarantine)
    with pytest.raises(PartConflict, match=f"its quarantined rows in {quarantine} are gone"):
        job.run()
    job.output.delete(published.parts[0].key)
    scored: list[int] = []
    assert job.run(scored=scored) is not None
    assert scored == [0]


def test_published_by_another_model(job: Job, dataset: Dataset, scratch: Path) -> None:
    """The other job's scores stay, and the line says what differs and what to do."""
    job.run()
    other = Job(dataset, job.output, scratch, version=2)
    assert refused(other) == (
        "output occupied: memory://store holds another job's published scores: model delays@1 → "
        "delays@2: choose another output, or ask for the switch with --replace"
    )


def test_published_from_another_input(job: Job, lake: Path, scratch: Path) -> None:
    """A changed and an added file are named."""
    job.run()
    write_lake(lake, {"month=1/a.parquet": 90, "month=4/b.parquet": 5})
    other = Job(dataset_at(lake), job.output, scratch)
    line = refused(other)
    assert "input file added: month=4/b.parquet; input file changed: month=1/a.parquet" in line


def test_published_with_another_mapping(job: Job, dataset: Dataset, scratch: Path) -> None:
    """A changed mapping is a different job."""
    job.run()
    other = Job(dataset, job.output, scratch, mapping={"inputs": {"x": ["id"]}})
    assert 'mapping of inputs: {"x": ["delay"]} → {"x": ["id"]}' in refused(other)


def test_unfinished_other_job(job: Job, dataset: Dataset, scratch: Path) -> None:
    """A job that has begun holds the output, with parts or without."""
    job.claim()
    other = Job(dataset, job.output, scratch, version=2)
    expected = (
        "output occupied: memory://store holds an unfinished job begun 2026-11-23 06:30 UTC: "
        "model delays@1 → delays@2: choose another output, or ask for the switch with --replace"
    )
    assert refused(other) == expected
    job.score(job.shards(job.claim())[0])
    assert refused(other) == expected


def test_parts_whose_record_is_lost(job: Job, dataset: Dataset, scratch: Path) -> None:
    """Parts alone are a conflict too; their footers tell whose they are."""
    job.run(only=lambda shard: shard.index < 2)
    job.output.delete(job_key(job.fingerprint))
    other = Job(dataset, job.output, scratch, version=2)
    assert "holds 2 parts of an unfinished job: model delays@1 → delays@2: " in refused(other)
    changed = Job(dataset, job.output, scratch, mapping={"inputs": {}})
    assert "was made from month=1/a.parquet (" in refused(changed)
    job.output.replace(part_key(0, job.fingerprint.digest), b"noise", if_etag=None)
    assert "cannot be read" in refused(changed)
    assert job.claim().published is None


def test_replacing_ends_an_unfinished_job(job: Job, dataset: Dataset, scratch: Path) -> None:
    """The other job's record goes, so that it stops before its next commit; its parts go last."""
    job.run(only=lambda shard: shard.index < 2)
    other = Job(dataset, job.output, scratch, version=2)
    claim = other.claim(replace=True)
    assert claim.published is None
    with pytest.raises(JobSuperseded, match=r"memory://store was taken over by another job"):
        check_claim(job.output, job.fingerprint)
    with pytest.raises(JobSuperseded):
        job.publish(claim)
    assert part_key(0, job.fingerprint.digest) in keys(job.output)
    published = other.run(replace=True)
    assert published is not None
    assert {key for key in keys(job.output) if key.startswith("part-")} == {
        part.key for part in published.parts
    }


def test_old_job_while_it_is_being_replaced(job: Job, dataset: Dataset, scratch: Path) -> None:
    """A published job is whole until its replacement publishes, and can still be verified."""
    published = job.run()
    other = Job(dataset, job.output, scratch, version=2)
    other.run(replace=True, only=lambda shard: shard.index == 0)
    assert job.run() == published
    scored: list[int] = []
    assert other.run(replace=True, scored=scored) is not None
    assert 0 not in scored
    assert "model delays@2 → delays@1" in refused(job)


def test_finished_by_another_run_is_not_superseded(job: Job) -> None:
    """A late attempt of a job that was published meanwhile may adopt its part."""
    job.run()
    assert job_key(job.fingerprint) not in keys(job.output)
    check_claim(job.output, job.fingerprint)


@pytest.mark.parametrize("replace", [True, False])
def test_foreign_parquet_is_never_touched(job: Job, replace: bool) -> None:
    """A Parquet file that no job wrote would be read as scores: it must go first."""
    job.output.put_if_absent("scores.parquet", b"mine")
    job.output.put_if_absent("year=1/x.parquet", b"mine")
    assert refused(job, replace=replace) == (
        "output occupied: memory://store holds scores.parquet and 1 more files, which no job wrote"
        ": choose another output, or move them away"
    )


def test_other_files_are_left_alone(job: Job) -> None:
    """A README, a hidden file or a report beside the scores is no conflict and stays."""
    for key in ("README.md", ".hidden.parquet", "_notes/x.parquet", "report.html"):
        job.output.put_if_absent(key, b"mine")
    assert job.run() is not None
    assert job.output.read("README.md") == b"mine"
    assert job.output.read("_notes/x.parquet") == b"mine"


@pytest.mark.parametrize("replace", [True, False])
@pytest.mark.parametrize("below", ["", "/month=1", "/scores"])
def test_output_in_its_own_input(lake: Path, scratch: Path, below: str, replace: bool) -> None:
    """Scores written into the dataset would be scored by the next run."""
    store = open_store(f"{lake}{below}", S3Settings())
    job = Job(dataset_at(lake), store, scratch)
    before = sorted(lake.rglob("*"))
    where = f"lies inside the input {lake}," if below else "is the input,"
    with pytest.raises(OutputInsideInput, match=f"{lake}{below} {where}"):
        job.claim(replace=replace)
    assert sorted(lake.rglob("*")) == before


def test_input_in_its_own_output(lake: Path, scratch: Path) -> None:
    """Who reads the scores would read the rows as well; hidden ones are nobody's scores."""
    job = Job(dataset_at(lake / "month=1"), open_store(str(lake), S3Settings()), scratch)
    with pytest.raises(OutputOccupied, match=f"{lake} holds the input {lake}/month=1: choose"):
        job.claim()
    hidden = lake.parent / "out/_lake"
    hidden.parent.mkdir()
    lake.rename(hidden)
    job = Job(dataset_at(hidden), open_store(str(hidden.parent), S3Settings()), scratch)
    assert job.run() is not None


def test_a_claim_that_fails_leaves_nothing(lake: Path, tmp_path: Path, scratch: Path) -> None:
    """Folders that a refused or withdrawn job made go again, those that were there stay."""
    store = open_store(str(tmp_path / "new/deep/out"), S3Settings())
    job = Job(dataset_at(lake), store, scratch)
    job.claim()
    assert [path.name for path in (tmp_path / "new/deep/out").iterdir()] == [
        job_key(job.fingerprint)
    ]
    store.scratch_folder()
    assert withdraw_claim(store, job.fingerprint)
    assert not (tmp_path / "new").exists()
    (tmp_path / "old").mkdir()
    (tmp_path / "old/mine.parquet").write_bytes(b"mine")
    with pytest.raises(OutputOccupied):
        Job(dataset_at(lake), open_store(str(tmp_path / "old"), S3Settings()), scratch).claim()
    assert [path.name for path in (tmp_path / "old").iterdir()] == ["mine.parquet"]


def test_hidden_output_below_the_input(lake: Path, scratch: Path) -> None:
    """A folder that datasets skip may hold the scores of its own dataset."""
    store = open_store(f"{lake}/_scores", S3Settings())
    assert Job(dataset_at(lake), store, scratch).run() is not None


def test_unreadable_manifest(job: Job) -> None:
    """A manifest of a later version, or a damaged one, is not overwritten."""
    job.output.put_if_absent(MANIFEST_KEY, b'{"format": "nightshift-manifest-9"}')
    assert "holds a _manifest.json that cannot be read" in refused(job, replace=True)


def test_unreadable_record(job: Job, dataset: Dataset, scratch: Path) -> None:
    """A damaged record of the job itself, or of another, is named."""
    job.output.put_if_absent(job_key(job.fingerprint), b"{")
    with pytest.raises(OutputOccupied, match=r"holds a _job-.* that cannot be read"):
        job.claim()
    other = Job(dataset, job.output, scratch, version=2)
    assert f"holds {job_key(job.fingerprint)} of an unfinished job: choose" in refused(other)


@pytest.mark.parametrize("place", ["file", "proc"])
def test_output_not_writable(lake: Path, tmp_path: Path, scratch: Path, place: str) -> None:
    """A path below a file, or on a file system that takes nothing, is named with the reason."""
    (tmp_path / "file").write_text("in the way")
    root = {"file": str(tmp_path / "file" / "out"), "proc": "/proc/nightshift"}[place]
    store = open_store(root, S3Settings())
    with pytest.raises(OutputNotWritable) as caught:
        Job(dataset_at(lake), store, scratch).claim()
    assert str(caught.value).startswith(f"output not writable: {root} (")
    assert "\n" not in str(caught.value)


def test_output_is_a_file(lake: Path, tmp_path: Path, scratch: Path) -> None:
    """An output must be a folder."""
    (tmp_path / "out").write_text("in the way")
    store = open_store(str(tmp_path / "out"), S3Settings())
    with pytest.raises(OutputNotWritable, match=f"{tmp_path}/out"):
        Job(dataset_at(lake), store, scratch).claim()


def test_two_jobs_at_the_same_instant(dataset: Dataset, scratch: Path) -> None:
    """Never are both accepted; at worst both are refused, and the output is free again."""
    for _ in range(20):
        store = MemoryObjectStore()
        jobs = [Job(dataset, store, scratch, version=version) for version in range(1, 5)]

        def claim(job: Job) -> bool:
            try:
                job.claim()
            except OutputOccupied:
                return False
            return True

        with ThreadPoolExecutor(4) as threads:
            accepted = [job for job, ok in zip(jobs, threads.map(claim, jobs), strict=True) if ok]
        assert len(accepted) <= 1
        assert keys(store) == [job_key(job.fingerprint) for job in accepted]


class SlowNews(MemoryObjectStore):
    """A store at which another job's record appears between our look and our put."""

    rival: Job | None = None

    def put_if_absent(self, key: str, source: bytes | Path) -> bool:
        done = super().put_if_absent(key, source)
        if key.startswith("_job-") and self.rival is not None:
            rival, self.rival = self.rival, None
            record = JobRecord(fingerprint=rival.fingerprint, cut=CUT, started_at=NOW)
            super().put_if_absent(job_key(rival.fingerprint), record.model_dump_json().encode())
        return done


def test_rival_in_the_last_moment(dataset: Dataset, scratch: Path) -> None:
    """A job that finds another one beside its fresh record takes its own away."""
    store = SlowNews()
    job = Job(dataset, store, scratch)
    store.rival = Job(dataset, store, scratch, version=2)
    with pytest.raises(OutputOccupied, match="model delays@2 → delays@1"):
        job.claim()
    assert keys(store) == [job_key(Job(dataset, store, scratch, version=2).fingerprint)]


@pytest.mark.parametrize("replacing", [False, True])
def test_rival_publishes_before_the_record(
    dataset: Dataset, memory: MemoryObjectStore, scratch: Path, replacing: bool
) -> None:
    """A job that slept between its look and its record does not work beside what is published."""
    rival = Job(dataset, memory, scratch, version=2)
    here = FailPoint("before:put:job", lambda: rival.run(replace=True))
    job = Job(dataset, FailPointStore(memory, [here]), scratch)
    if not replacing:
        with pytest.raises(OutputOccupied, match="model delays@2 → delays@1"):
            job.claim()
        assert not [key for key in keys(memory) if key.startswith("_job-")]
        return
    assert job.claim(replace=True).published is None
    assert [key for key in keys(memory) if key.startswith("_job-")] == [job_key(job.fingerprint)]


def test_own_publication_before_the_record(
    dataset: Dataset, memory: MemoryObjectStore, scratch: Path
) -> None:
    """When another run of the job published meanwhile, nothing is left to do."""
    rival = Job(dataset, memory, scratch)
    here = FailPoint("before:put:job", rival.run)
    claim = Job(dataset, FailPointStore(memory, [here]), scratch).claim()
    assert claim.published is not None
    assert not [key for key in keys(memory) if key.startswith("_job-")]


def test_output_that_is_published_again_and_again(
    dataset: Dataset, memory: MemoryObjectStore, scratch: Path
) -> None:
    """After some tries the claim is given up, and no record stays."""
    rivals = [Job(dataset, memory, scratch, version=version) for version in range(2, 20)]
    points = [
        FailPoint("before:put:job", partial(rival.run, replace=True), skip=number)
        for number, rival in enumerate(rivals)
    ]
    job = Job(dataset, FailPointStore(memory, points), scratch)
    with pytest.raises(StoreUnavailable, match="published again and again"):
        job.claim(replace=True)
    assert not [key for key in keys(memory) if key.startswith("_job-")]


class LostAnswer(MemoryObjectStore):
    """A store whose answer to the record's put is lost, stored or not."""

    stored = True

    def put_if_absent(self, key: str, source: bytes | Path) -> bool:
        if key.startswith("_job-"):
            if self.stored:
                super().put_if_absent(key, source)
            raise AmbiguousPut(key, "no answer")
        return super().put_if_absent(key, source)


def test_lost_answer_to_the_record(dataset: Dataset, scratch: Path) -> None:
    """A record that arrived is ours; one that did not is the store's failure."""
    store = LostAnswer()
    job = Job(dataset, store, scratch)
    assert job.claim().cut == CUT
    store.delete(job_key(job.fingerprint))
    store.stored = False
    with pytest.raises(StoreUnavailable, match="no answer"):
        job.claim()


def test_withdraw(job: Job, dataset: Dataset, scratch: Path) -> None:
    """A job that committed nothing can free the output; one with parts keeps it."""
    job.claim()
    assert withdraw_claim(job.output, job.fingerprint)
    check_claim(job.output, job.fingerprint)
    other = Job(dataset, job.output, scratch, version=2)
    other.run(only=lambda shard: shard.index == 0)
    assert not withdraw_claim(other.output, other.fingerprint)
    assert job_key(other.fingerprint) in keys(job.output)


def test_store_without_conditions_is_told(dataset: Dataset, scratch: Path) -> None:
    """The claim says that the store ignores conditions, so that the user can be told."""
    store = MemoryObjectStore(careless=True)
    assert store.probe() == StoreProbe(writable=True, conditional_writes=False)
    assert not Job(dataset, store, scratch).claim().conditional_writes


class TailsOnly(LocalStore):
    """A folder that notes whose ends are read, and lets nobody read a whole object."""

    def __init__(self, root: Path) -> None:
        super().__init__(root)
        self.tails: list[str] = []

    def read_tail(self, key: str, max_bytes: int) -> Tail:
        self.tails.append(key)
        return super().read_tail(key, max_bytes)

    def open(self, key: str, etag: str | None = None) -> Any:
        raise AssertionError(f"{key} was opened")


def test_parts_are_verified_from_their_footers(tmp_path: Path) -> None:
    """The end of each committed part is read once, and nothing else."""
    lake = write_lake(tmp_path / "lake", {f"k={i}/a.parquet": 2 for i in range(30)})
    store = TailsOnly(tmp_path / "out")
    job = Job(dataset_at(lake), store, tmp_path / "s")
    claim = job.claim()
    shards = job.shards(claim)
    _copy_parts(job, shards)
    store.tails.clear()
    assert len(verify_parts(store, job.fingerprint, shards, threads=8)) == 30
    assert sorted(store.tails) == [part_key(i, job.fingerprint.digest) for i in range(30)]


def _copy_parts(job: Job, shards: tuple[Shard, ...]) -> None:
    """Write each shard's part straight into the output, as fast as possible."""
    for shard in shards:
        record = _provenance(job, shard)
        table = pa.table({"id": [1, 2], "score": [1.0, 2.0]})
        pq.write_table(
            table.replace_schema_metadata(record.to_metadata()),
            Path(job.output.uri) / part_key(shard.index, job.fingerprint.digest),
        )


def _provenance(job: Job, shard: Shard) -> Provenance:
    return Provenance.of(
        shard,
        write_id="w",
        fingerprint=job.fingerprint.digest,
        rows_ok=2,
        rows_quarantined=0,
        quarantine=None,
        model="delays@1",
        model_digest="d",
        attempt=1,
        written_at=NOW,
        reasons={},
        outputs={},
        timings={},
    )
