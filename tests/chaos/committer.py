"""Race for parts: what one of many processes does, round after round."""

import hashlib
import json
import random
import time
import uuid
from collections.abc import Callable
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from multiprocessing.synchronize import Barrier
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from flows.shards.commit import Committed, commit_part, part_key
from flows.shards.object_store import ObjectStore
from flows.shards.provenance import Provenance
from flows.shards.types import InputFile, RowGroup, Shard
from tests.chaos.places import Place
from tests.faults.failpoints import FailPoint, FailPointStore

ROWS = 4000
"""Of each part: with scores that do not compress, some tens of kilobytes."""
ROUND_DEADLINE_S = 60.0
"""When a process waits longer than this for the others, the race has failed."""


@dataclass(frozen=True, slots=True)
class Race:
    """What all processes of a race are told."""

    place: Place
    """Where the parts go."""
    scratch: Path
    """Where each process builds its own."""
    processes: int
    """Those that race."""
    rounds: int
    """Parts to commit, one after the other."""
    seed: str
    """Decides how the processes meet in each round."""

    def fingerprint(self, number: int) -> str:
        """Name the job to which a round's part belongs."""
        return hashlib.sha256(f"{self.seed}:{number}".encode()).hexdigest()

    def key(self, number: int) -> str:
        """Name a round's part."""
        return part_key(number, self.fingerprint(number))

    def meets_at_put(self, number: int) -> bool:
        """Whether all wait for each other just before their put, else each goes on by chance."""
        return random.Random(f"{self.seed}:{number}").random() < 0.5


@dataclass(frozen=True, slots=True)
class Finish:
    """How one process came out of one round."""

    won: bool
    """Whether it was told that the part is its own."""
    write_id: str
    """Its attempt."""
    winner: str
    """The attempt whose part it was told is there."""
    etag: str
    """Identity of that part."""
    digest: str
    """Of the bytes that it tried to commit."""
    puts: int
    """Times that it asked for the part to be created."""


def run(race: Race, name: str, start: Barrier, put: Barrier) -> None:
    """Commit one part in each round while others do; tells what came of it in a file of its name.

    At `start` the processes meet their watcher before and after each round, at `put` each other.
    """
    try:
        store = race.place.open()
        with (race.scratch / name).open("w") as told:
            for number in range(race.rounds):
                path = race.scratch / f"{name}.parquet"
                write_id = build_part(path, number, race.fingerprint(number))
                pause = _pause_of(race, number, name, put)
                start.wait(ROUND_DEADLINE_S)
                finish = _commit(store, race.key(number), path, write_id, pause)
                told.write(json.dumps(asdict(finish)) + "\n")
                path.unlink()
                start.wait(ROUND_DEADLINE_S)
    except BaseException:
        # Nobody is to wait for the one that failed.
        put.abort()
        start.abort()
        raise


def _pause_of(race: Race, number: int, name: str, put: Barrier) -> Callable[[], object]:
    """Say what a process does between its look at the name and its put."""
    if race.meets_at_put(number):
        return lambda: put.wait(ROUND_DEADLINE_S)
    delay_s = random.Random(f"{race.seed}:{number}:{name}").uniform(0, 0.02)
    return lambda: time.sleep(delay_s)


def _commit(
    store: ObjectStore, key: str, path: Path, write_id: str, pause: Callable[[], object]
) -> Finish:
    watched = FailPointStore(store, [FailPoint("before:put:part", pause)])
    done = commit_part(watched, key, path, write_id)
    return Finish(
        isinstance(done, Committed),
        write_id,
        done.record.provenance.write_id,
        done.record.etag,
        digest_of(path.read_bytes()),
        watched.seen["put:part"],
    )


def build_part(path: Path, shard: int, fingerprint: str) -> str:
    """Write a part's file with a write id of its own, which is returned; its rows are the same."""
    write_id = uuid.uuid4().hex
    file = InputFile("a.parquet", f"etag-{shard}", 1, (RowGroup(ROWS, 1),), {})
    provenance = Provenance.of(
        Shard(shard, file, 0, 1, 0, ROWS, 1),
        write_id=write_id,
        fingerprint=fingerprint,
        rows_ok=ROWS,
        rows_quarantined=0,
        quarantine=None,
        model="delays@1",
        model_digest="sha256:1",
        attempt=1,
        written_at=datetime.now(UTC),
        reasons={},
        outputs={},
        timings={},
    )
    table = rows_of(fingerprint).replace_schema_metadata(provenance.to_metadata())
    pq.write_table(table, path)
    return write_id


def rows_of(fingerprint: str) -> pa.Table:
    """Return the rows that every attempt at a part writes."""
    chance = random.Random(fingerprint)
    return pa.table({"id": range(ROWS), "score": [chance.random() for _ in range(ROWS)]})


def digest_of(data: bytes) -> str:
    """Return what tells one attempt's bytes from another's."""
    return hashlib.sha256(data).hexdigest()
