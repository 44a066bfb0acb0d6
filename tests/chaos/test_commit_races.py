"""Many processes commit one part at once: one wins, the others adopt it, nobody fails."""

import json
import time
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from multiprocessing.synchronize import Barrier
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.chaos import committer
from tests.chaos.committer import ROUND_DEADLINE_S, Finish, Race, digest_of
from tests.chaos.forks import FORKS
from tests.chaos.objects import Found
from tests.chaos.places import Place
from tests.chaos.seeds import Chaos

pytestmark = pytest.mark.chaos


def watch(race: Race, start: Barrier) -> list[set[str]]:
    """Read each round's part again and again from its first moment, as any reader may.

    Returns for each round the digests of all that was read.
    """
    seen: list[set[str]] = []
    try:
        for number in range(race.rounds):
            found: set[str] = set()
            start.wait(ROUND_DEADLINE_S)
            is_over = False
            while not is_over and not start.broken:
                is_over = start.n_waiting == race.processes
                if (data := race.place.peek(race.key(number))) is not None:
                    found.add(digest_of(data))
                time.sleep(0.002)
            start.wait(ROUND_DEADLINE_S)
            seen.append(found)
    except BaseException:
        start.abort()
        raise
    return seen


@dataclass(frozen=True, slots=True)
class Round:
    """What came of one part."""

    finishes: Sequence[Finish]
    """Of each process."""
    seen: set[str]
    """Digests of what a reader saw meanwhile."""
    found: Found
    """The object when all was over."""


def hold(race: Race) -> list[Round]:
    """Let the processes race; fails when one of them does."""
    start, put = FORKS.Barrier(race.processes + 1), FORKS.Barrier(race.processes)
    names = [f"process-{number}" for number in range(race.processes)]
    running = [
        FORKS.Process(target=committer.run, args=(race, name, start, put), daemon=True)
        for name in names
    ]
    for process in running:
        process.start()
    with ThreadPoolExecutor(1) as threads:
        watching = threads.submit(watch, race, start)
        for process in running:
            process.join()
        watched = watching.result()
    assert {process.exitcode for process in running} == {0}
    told = [
        [Finish(**json.loads(line)) for line in Path(race.scratch, name).read_text().splitlines()]
        for name in names
    ]
    objects = race.place.objects()
    keys = [race.key(number) for number in range(race.rounds)]
    assert sorted(objects) == sorted(keys), "one object a part, and nothing else"
    return [
        Round(finishes, seen, objects[key])
        for *finishes, seen, key in zip(*told, watched, keys, strict=True)
    ]


def race_at(place: Place, scratch: Path, chaos: Chaos) -> Race:
    """Describe the race that the seed asks for."""
    scratch.mkdir()
    return Race(
        place,
        scratch,
        processes=5 if chaos.scale is None else 16,
        rounds=chaos.count(200, sample=4),
        seed=str(chaos.random().random()),
    )


@pytest.mark.parametrize("place", ["local", "s3"], indirect=True)
def test_one_of_many_wins(place: Place, tmp_path: Path, chaos: Chaos) -> None:
    """The winner's bytes are there from the first moment; the losers adopt them, no one fails."""
    rounds = hold(race_at(place, tmp_path / "scratch", chaos))
    for one in rounds:
        (winner,) = [finish for finish in one.finishes if finish.won]
        assert {finish.winner for finish in one.finishes} == {winner.write_id}
        assert {finish.etag for finish in one.finishes} == {one.found.etag}
        assert digest_of(one.found.data) == winner.digest
        assert one.seen == {winner.digest}
    chaos.tell(f"{told(rounds)}, {len(rounds)} winners, 0 errors")


@pytest.mark.parametrize("place", ["careless"], indirect=True)
def test_many_on_a_store_that_ignores_conditions(
    place: Place, tmp_path: Path, chaos: Chaos
) -> None:
    """Several may believe that they won; whatever a reader sees is whole, with the same rows.

    Who wrote the object that stays is told that it won.
    """
    race = race_at(place, tmp_path / "scratch", chaos)
    rounds = hold(race)
    for number, one in enumerate(rounds):
        assert one.seen | {digest_of(one.found.data)} <= {each.digest for each in one.finishes}
        last = [each for each in one.finishes if each.digest == digest_of(one.found.data)]
        assert [each.won for each in last] == [True]
        table = pq.read_table(pa.BufferReader(one.found.data))
        assert table.equals(committer.rows_of(race.fingerprint(number)))
    winners = Counter(sum(finish.won for finish in one.finishes) for one in rounds)
    chaos.tell(f"{told(rounds)}, 0 errors, told that they won: {dict(sorted(winners.items()))}")


def told(rounds: Sequence[Round]) -> str:
    """Say how hard the races were."""
    puts = sum(finish.puts for one in rounds for finish in one.finishes)
    return f"{len(rounds)} rounds × {len(rounds[0].finishes)} processes, {puts} puts"
