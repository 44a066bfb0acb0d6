"""A part is committed once, whoever tries and whatever the store answers."""

import multiprocessing
import os
import signal
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from multiprocessing.queues import Queue
from multiprocessing.synchronize import Barrier
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from flows.shards.commit import (
    COMMIT_TRIES,
    Adopted,
    Committed,
    check_parts,
    commit_part,
    list_parts,
    part_key,
    read_part,
)
from flows.shards.dataset import Dataset
from flows.shards.errors import (
    AmbiguousPut,
    NoSuchObject,
    PartConflict,
    StoreDenied,
    StoreUnavailable,
)
from flows.shards.object_store import ObjectStore, Tail, open_store
from flows.shards.provenance import Provenance
from flows.shards.settings import S3Settings
from flows.shards.types import Shard
from tests.contracts.memory_object_store import MemoryObjectStore
from tests.contracts.test_object_store import s3_settings
from tests.flows.shards.dropping_proxy import DroppingProxy
from tests.flows.shards.jobs import Job, dataset_at
from tests.servers.s3 import S3Endpoint


def first_shard(job: Job) -> Shard:
    """The shard that the tests commit."""
    return job.shards(job.claim())[0]


def commit(job: Job, path: Path, write_id: str) -> Committed | Adopted:
    """Commit a scratch file of the first shard, without waiting between tries."""
    key = part_key(0, job.fingerprint.digest)
    return commit_part(job.output, key, path, write_id, sleep=lambda _: None)


def test_name_of_a_part() -> None:
    """Shard and fingerprint, nothing of the attempt; wide enough to sort, never cut."""
    assert part_key(12, "0123456789abcdef") == "part-00012-0123456789ab.parquet"
    assert part_key(1234567, "0123456789abcdef") == "part-1234567-0123456789ab.parquet"


def test_commit_and_record(dataset: Dataset, output: ObjectStore, scratch: Path) -> None:
    """A committed part tells everything of itself, on every store."""
    job = Job(dataset, output, scratch)
    shard = first_shard(job)
    done = job.score(shard)
    assert isinstance(done, Committed)
    record = done.record
    info = output.stat(record.key)
    assert info is not None
    assert (record.key, record.size, record.etag) == (info.key, info.size, info.etag)
    assert record == read_part(output, part_key(0, job.fingerprint.digest))
    assert record.provenance.is_of(shard)
    assert (record.provenance.rows_ok, record.provenance.rows_quarantined) == (90, 10)


def test_second_attempt_adopts(job: Job) -> None:
    """An attempt that comes late takes the winner's record, and the bytes stay."""
    shard = first_shard(job)
    first = job.score(shard)
    before = job.output.read(first.record.key)
    second = job.score(shard)
    assert second == Adopted(first.record)
    assert job.output.read(first.record.key) == before


def test_own_commit_again(job: Job) -> None:
    """Committing the same file twice is a success, not a loss."""
    path, write_id = job.build(first_shard(job))
    first = commit(job, path, write_id)
    assert commit(job, path, write_id) == first
    assert isinstance(first, Committed)


def test_careless_store_keeps_one_whole_part(dataset: Dataset, scratch: Path) -> None:
    """Where conditions are ignored two racing attempts still leave one whole part of one name."""
    store = Racing(careless=True)
    job = Job(dataset, store, scratch)
    shard = first_shard(job)
    ours, theirs = job.build(shard), job.build(shard)
    store.rival = theirs[0]
    done = commit(job, *ours)
    assert isinstance(done, Committed)
    assert done.record.provenance.write_id == ours[1]
    assert len(list_parts(job.output, job.fingerprint.digest, threads=2)) == 1


class Racing(MemoryObjectStore):
    """A store at which a rival's part arrives just before ours."""

    rival: Path | None = None

    def put_if_absent(self, key: str, source: bytes | Path) -> bool:
        rival, self.rival = self.rival, None
        if rival is not None:
            super().put_if_absent(key, rival)
        return super().put_if_absent(key, source)


def test_rival_in_the_last_moment(dataset: Dataset, scratch: Path) -> None:
    """A part that appears between our look and our put wins."""
    store = Racing()
    job = Job(dataset, store, scratch)
    shard = first_shard(job)
    ours, theirs = job.build(shard), job.build(shard)
    store.rival = theirs[0]
    done = commit(job, *ours)
    assert isinstance(done, Adopted)
    assert done.record.provenance.write_id == theirs[1]


class Faulty(MemoryObjectStore):
    """A store that fails in the ways of a script, one letter an operation on the part.

    `a` answers nothing and has stored, `n` answers nothing and has not stored, `r` stores and
    answers that the name is taken, `d` fails to read, `.` works.
    """

    script = ""

    def _next(self) -> str:
        letter, self.script = (self.script or ".")[0], self.script[1:]
        return letter

    def put_if_absent(self, key: str, source: bytes | Path) -> bool:
        if not key.startswith("part-"):
            return super().put_if_absent(key, source)
        letter = self._next()
        if letter == "n":
            raise AmbiguousPut(key, "reset")
        won = super().put_if_absent(key, source)
        if letter == "a":
            raise AmbiguousPut(key, "reset")
        return won and letter != "r"

    def read_tail(self, key: str, max_bytes: int) -> Tail:
        if key.startswith("part-") and self._next() == "d":
            raise StoreUnavailable(key, "down")
        return super().read_tail(key, max_bytes)


@pytest.mark.parametrize(
    "script", ["", "a", "r", "n", "nnnn", ".d", ".dddd", "ad", "n.n.rd", "rdd"]
)
def test_unclear_answers_are_resolved(dataset: Dataset, scratch: Path, script: str) -> None:
    """Lost answers and false refusals end in our commit: the footer is read back."""
    store = Faulty()
    job = Job(dataset, store, scratch)
    path, write_id = job.build(first_shard(job))
    store.script = script
    done = commit(job, path, write_id)
    assert isinstance(done, Committed)
    assert done.record.provenance.write_id == write_id


@pytest.mark.parametrize("script", ["n." * 9, "n" * 99, ".ddddddddd"])
def test_store_without_a_clear_answer(dataset: Dataset, scratch: Path, script: str) -> None:
    """After some tries, with growing pauses, the shard is left to be retried."""
    store = Faulty()
    job = Job(dataset, store, scratch)
    path, write_id = job.build(first_shard(job))
    store.script = script
    pauses: list[float] = []
    with pytest.raises(StoreUnavailable, match=f"after {COMMIT_TRIES} tries"):
        commit_part(store, part_key(0, job.fingerprint.digest), path, write_id, sleep=pauses.append)
    assert pauses == [0.2, 0.4, 0.8, 1.6]


def test_refused_right_is_not_retried(job: Job) -> None:
    """A store that says no is not asked again."""

    class Denying(MemoryObjectStore):
        puts = 0

        def put_if_absent(self, key: str, source: bytes | Path) -> bool:
            self.puts += 1
            raise StoreDenied(key, "AccessDenied")

    path, write_id = job.build(first_shard(job))
    job.output = Denying()
    with pytest.raises(StoreDenied):
        commit(job, path, write_id)
    assert job.output.puts == 1


def test_commit_of_another_file_is_a_defect(job: Job) -> None:
    """A scratch file is committed as what its footer says, or not at all."""
    path, _ = job.build(first_shard(job))
    with pytest.raises(ValueError, match="was written as"):
        commit(job, path, "another")


@pytest.mark.parametrize("content", [b"", b"x", b"PAR1 no footer PAR1", b"\xff" * 100])
def test_foreign_object_under_a_parts_name(job: Job, content: bytes) -> None:
    """It is named, with the remedy, by committing and by listing."""
    path, write_id = job.build(first_shard(job))
    key = part_key(0, job.fingerprint.digest)
    job.output.put_if_absent(key, content)
    with pytest.raises(PartConflict, match=f"part conflict: {key} .* remove that object"):
        commit(job, path, write_id)
    with pytest.raises(PartConflict, match=key):
        list_parts(job.output, job.fingerprint.digest, threads=1)


def test_parquet_of_another_writer_under_a_parts_name(job: Job, tmp_path: Path) -> None:
    """A valid file without provenance is no part."""
    pq.write_table(pa.table({"x": [1]}), tmp_path / "x.parquet")
    key = part_key(0, job.fingerprint.digest)
    job.output.put_if_absent(key, tmp_path / "x.parquet")
    with pytest.raises(PartConflict, match="does not say that Nightshift wrote it"):
        read_part(job.output, key)


def test_part_with_other_rows_than_it_says(job: Job, tmp_path: Path) -> None:
    """Footer and file must agree on the number of rows."""
    record = job.score(first_shard(job)).record
    metadata = record.provenance.to_metadata()
    pq.write_table(pa.table({"x": [1]}).replace_schema_metadata(metadata), tmp_path / "x")
    job.output.replace(record.key, (tmp_path / "x").read_bytes(), if_etag=None)
    with pytest.raises(PartConflict, match="it holds 1 rows, not 90"):
        read_part(job.output, record.key)


def test_part_of_another_job_with_the_same_prefix(job: Job) -> None:
    """The whole fingerprint counts, not the 12 digits in the name."""
    path, write_id = job.build(first_shard(job))
    digest = job.fingerprint.digest[:12] + "0" * 52
    other = read_own(path).model_copy(update={"fingerprint": digest, "write_id": "other"})
    table = pq.read_table(path).replace_schema_metadata(other.to_metadata())
    pq.write_table(table, path.with_name("other"))
    job.output.put_if_absent(part_key(0, digest), path.with_name("other"))
    with pytest.raises(PartConflict, match="belongs to another job"):
        commit(job, path, write_id)
    with pytest.raises(PartConflict, match="names another job or shard"):
        list_parts(job.output, job.fingerprint.digest, threads=1)


def read_own(path: Path) -> Provenance:
    """The provenance in a scratch file."""
    return Provenance.from_metadata(pq.read_metadata(path).metadata)


def test_missing_part(memory: MemoryObjectStore) -> None:
    """A part that is not there is no conflict."""
    with pytest.raises(NoSuchObject):
        read_part(memory, "part-00000-000000000000.parquet")


def test_large_footer_is_read_whole(job: Job) -> None:
    """A footer larger than the first read takes a second one."""
    path, _ = job.build(first_shard(job))
    own = read_own(path)
    big = own.model_copy(update={"outputs": {"score": {"histogram": ["x" * 100] * 1000}}})
    table = pq.read_table(path).replace_schema_metadata(big.to_metadata())
    pq.write_table(table, path)
    job.output.put_if_absent("part-big", path)
    assert read_part(job.output, "part-big").provenance == big


def test_list_parts_takes_only_the_jobs_own(
    dataset: Dataset, output: ObjectStore, scratch: Path
) -> None:
    """Other jobs' parts, quarantine objects and files with similar names are passed over."""
    job = Job(dataset, output, scratch)
    shards = job.shards(job.claim())
    records = [job.score(shard).record for shard in shards]
    other = Job(dataset, output, scratch, version=2)
    path, _ = other.build(shards[0])
    output.put_if_absent(part_key(0, other.fingerprint.digest), path)
    output.put_if_absent("part-notes.txt", b"mine")
    found = list_parts(output, job.fingerprint.digest, threads=4)
    assert found == {record.provenance.shard: record for record in records}
    check_parts(found.values(), shards)


def test_part_of_another_plan(job: Job) -> None:
    """A part whose rows are not its shard's is a conflict, as is one without a shard."""
    shards = job.shards(job.claim())
    record = job.score(shards[1]).record
    with pytest.raises(PartConflict, match="other rows than the plan"):
        check_parts([record], shards[:1])
    with pytest.raises(PartConflict, match="other rows than the plan"):
        check_parts([record], [shards[0], Shard(1, shards[2].file, 0, 1, 0, 5, 5)])


def test_sixteen_threads_commit_one_part(
    dataset: Dataset, output: ObjectStore, scratch: Path
) -> None:
    """Exactly one wins, the others adopt it, no one fails."""
    job = Job(dataset, output, scratch)
    shard = first_shard(job)
    built = [job.build(shard) for _ in range(16)]
    with ThreadPoolExecutor(16) as threads:
        done = list(threads.map(lambda one: commit(job, *one), built))
    winners = {one.record.provenance.write_id for one in done}
    if output.probe().conditional_writes:
        assert sum(isinstance(one, Committed) for one in done) == 1
        assert len(winners) == 1
    assert read_part(output, part_key(0, job.fingerprint.digest)).provenance.write_id in winners


def _commit_rounds(
    lake: str,
    output: str,
    scratch: str,
    rounds: int,
    barrier: Barrier,
    results: "Queue[tuple[int, bool, str, str]]",
) -> None:
    """One process of the race: commit the part of one shard in every round's output."""
    for number in range(rounds):
        store = open_store(f"{output}/{number}", S3Settings())
        job = Job(dataset_at(lake), store, Path(scratch))
        path, write_id = job.build(job.shards(job.claim())[0])
        barrier.wait()
        done = commit(job, path, write_id)
        results.put(
            (number, isinstance(done, Committed), write_id, done.record.provenance.write_id)
        )


def test_processes_commit_one_part(lake: Path, tmp_path: Path) -> None:
    """Real processes race for one part on a local disk, round after round."""
    processes, rounds = 4, 8
    context = multiprocessing.get_context("spawn")
    barrier, results = context.Barrier(processes), context.Queue()
    arguments = (str(lake), str(tmp_path / "out"), str(tmp_path / "s"), rounds, barrier, results)
    running = [context.Process(target=_commit_rounds, args=arguments) for _ in range(processes)]
    for process in running:
        process.start()
    told = [results.get(timeout=60) for _ in range(processes * rounds)]
    for process in running:
        process.join()
    for number in range(rounds):
        here = [one for one in told if one[0] == number]
        winners = [write_id for _, won, write_id, _ in here if won]
        assert len(winners) == 1
        assert {seen for _, _, _, seen in here} == set(winners)


STOPPED_CODE = """
import sys
from pathlib import Path
from flows.shards.object_store import open_store
from flows.shards.provenance import Provenance
from flows.shards.settings import S3Settings
from tests.flows.shards.jobs import Job, dataset_at
from tests.flows.shards.test_commit import commit
lake, output, scratch = sys.argv[1:]
job = Job(dataset_at(lake), open_store(output, S3Settings()), Path(scratch))
path, write_id = job.build(job.shards(job.claim())[0])
print("built", flush=True)
sys.stdin.readline()
print(type(commit(job, path, write_id)).__name__, flush=True)
"""


def test_stopped_writer_changes_nothing(lake: Path, tmp_path: Path) -> None:
    """A writer that sleeps through another's commit adopts it when it wakes up."""
    output = str(tmp_path / "out")
    process = subprocess.Popen(
        [sys.executable, "-c", STOPPED_CODE, str(lake), output, str(tmp_path / "s")],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdin is not None
    assert process.stdout is not None
    with process:
        assert process.stdout.readline() == "built\n"
        os.kill(process.pid, signal.SIGSTOP)
        job = Job(dataset_at(lake), open_store(output, S3Settings()), tmp_path / "t")
        record = job.score(first_shard(job)).record
        before = job.output.read(record.key)
        process.stdin.write("\n")
        process.stdin.flush()
        os.kill(process.pid, signal.SIGCONT)
        assert process.stdout.readline() == "Adopted\n"
        process.stdin.close()
    assert job.output.read(record.key) == before


def test_dropped_responses_of_a_real_store(
    dataset: Dataset, s3_endpoint: S3Endpoint, scratch: Path
) -> None:
    """S3 stores the part and its answer is lost, every time: our commit, no false loser."""
    with DroppingProxy(
        s3_endpoint.url, drop=b"PUT /" + s3_endpoint.bucket.encode() + b"/"
    ) as proxy:
        direct = s3_settings(s3_endpoint)
        through = direct.model_copy(update={"endpoint_url": proxy.url})
        for number in range(6):
            uri = f"{s3_endpoint.uri}/{number}"
            job = Job(dataset, open_store(uri, direct), scratch)
            path, write_id = job.build(first_shard(job))
            job.output = open_store(uri, through)
            proxy.arm()
            done = commit(job, path, write_id)
            assert isinstance(done, Committed)
            assert done.record.provenance.write_id == write_id
        assert proxy.dropped == 6


def test_exception_leaves_no_part(job: Job) -> None:
    """A shard that fails before its commit leaves nothing in the output that a reader sees."""
    shard = first_shard(job)
    job.build(shard)
    assert [info.key for info in job.output.list() if not info.key.startswith("_")] == []
