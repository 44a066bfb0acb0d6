"""Decide which slices go out to workers, and when one goes out again."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from flows.errors import JobError, JobUnfinished, SliceFailed, SliceGivenUp
from flows.shards.slice_objects import SliceRecord
from flows.slices import Slice, as_ranges, from_ranges

MOST_HELPERS = 2
"""Runs that may be sent to help the first of a slice: one that helps, one when that dies."""


@dataclass(frozen=True, slots=True)
class RunState:
    """What Prefect says of a run."""

    phase: Literal["waiting", "begun", "ended"]
    """Whether a worker took it, and whether it is over."""
    words: str = ""
    """The state's name and message."""


@dataclass(frozen=True, slots=True)
class Send:
    """Hand shards of a slice to whichever worker takes them."""

    run: int
    """Names the run; counts those of the job."""
    number: int
    """The slice."""
    shards: tuple[int, ...]
    """Shards to score, ascending."""
    backwards: bool = False
    """Begin at the last."""
    why: str = ""
    """Why it goes out although it did before."""


@dataclass(frozen=True, slots=True)
class Release:
    """Have a run that is not needed any more end."""

    run: int
    """Which."""
    dead: bool = False
    """Whether it is taken for dead, so that nothing is to be ended but its row in Prefect."""


@dataclass(frozen=True, slots=True)
class ScoreHere:
    """Score a slice in the job's own run; no worker comes."""

    number: int
    """Which slice."""
    shards: tuple[int, ...]
    """Shards to score, ascending."""


Action = Send | Release | ScoreHere


@dataclass(frozen=True, slots=True)
class Seen:
    """What was found out in one look."""

    states: Mapping[int, RunState]
    """By run, of those that Prefect told of."""
    records: Mapping[int, SliceRecord]
    """By run, the last that was read."""
    committed: Collection[int]
    """Shards whose part is in the output; complete for every run that has ended."""


@dataclass(slots=True)
class _Run:
    """One run of one slice, as long as it may still commit something."""

    number: int
    shards: tuple[int, ...]
    helps: bool
    phase: Literal["waiting", "begun", "ended"] = "waiting"
    words: str = "nothing was heard of it"
    beat: int = 0
    heard_at: float = 0.0
    began_at: float = 0.0
    record: SliceRecord | None = None
    left_when_sent: int = 0


@dataclass(slots=True)
class _SliceState:
    """What became of one slice."""

    slice: Slice
    fruitless: int = 0
    helpers: int = 0
    here: bool = False
    done: bool = False


class Dispatch:
    """The slices of a job with their runs. Pure: told what was seen, it says what to do.

    A slice's run dies when Prefect says that it ended, when its own record does, or when its record
    stands still while it can be read; what of its shards has no part then goes out again.
    """

    def __init__(
        self,
        slices: Sequence[Slice],
        *,
        tries: int,
        silence_s: float,
        start_s: float,
        wait_s: float,
        help_s: float,
        now: float,
    ) -> None:
        self._slices = [_SliceState(each) for each in slices]
        self._runs: dict[int, _Run] = {}
        self._sent = 0
        self._tries = tries
        self._silence_s = silence_s
        self._start_s = start_s
        self._wait_s = wait_s
        self._help_s = help_s
        self._sign_at = now
        self._looked_at = now
        self._committed: Collection[int] = ()
        self.most_at_once = 0
        """Most processes that scored at the same time."""

    @property
    def done(self) -> bool:
        """Whether every shard of every slice is committed."""
        return all(each.done for each in self._slices)

    @property
    def live(self) -> tuple[int, ...]:
        """Runs that may still do something."""
        return tuple(self._runs)

    @property
    def records(self) -> Iterable[SliceRecord]:
        """What the runs that live said last."""
        return [run.record for run in self._runs.values() if run.record is not None]

    def begin(self, now: float) -> list[Action]:
        """Send every slice out."""
        return [self._send(each, each.slice.shards, now) for each in self._slices]

    def decide(self, seen: Seen, now: float) -> list[Action]:
        """Say what to do next. Raises the job's error when a slice ends it.

        1. A slice whose shards are all committed is done; its runs are released.
        2. A run that says that it failed for good ends the job with its words.
        3. A run that is over with shards left: they go out again, unless another run of the slice
           lives. After `tries` runs in a row that committed nothing, the job is given up.
        4. Nothing runs, and no worker has begun anything for `wait_s`: one slice is scored here.
        5. Nothing waits, so that a worker may be free: the run with most left to do is helped.
        """
        # Several looks must agree that a run is silent: in one long gap nobody listened.
        self._pass_over(now, counts_s=self._silence_s / 3)
        self._committed = seen.committed
        self._look(seen, now)
        actions: list[Action] = []
        for each in self._slices:
            actions += self._settle(each, now)
        begun = [run for run in self._runs.values() if run.phase == "begun"]
        here = [each for each in self._slices if each.here]
        self._sign_at = now if begun else self._sign_at
        self.most_at_once = max(self.most_at_once, len(begun) + len(here))
        waiting = [number for number, run in self._runs.items() if run.phase == "waiting"]
        if waiting and not begun and not here and now - self._sign_at >= self._wait_s:
            actions += self._take_here(waiting[-1])
        elif not waiting and not here:
            actions += self._help(now)
        return actions

    def missed(self, now: float) -> None:
        """Hear that nothing could be read since the last look: no silence counts meanwhile."""
        self._pass_over(now, counts_s=0)

    def was_scored_here(self, number: int) -> None:
        """Hear that the job's own run has done with a slice."""
        self._slices[number].here = False

    def _pass_over(self, now: float, *, counts_s: float) -> None:
        """Count a gap since the last look as silence for no longer than `counts_s`."""
        gap_s = max(now - self._looked_at - counts_s, 0)
        self._looked_at = now
        self._sign_at += gap_s
        for run in self._runs.values():
            run.heard_at += gap_s

    def _look(self, seen: Seen, now: float) -> None:
        for key, run in self._runs.items():
            record = seen.records.get(key)
            if record is not None and record.beat != run.beat:
                run.record, run.beat, run.heard_at = record, record.beat, now
                self._enter(run, "begun", now)
                if record.outcome != "running":
                    run.phase, run.words = "ended", record.error or record.outcome
            state = seen.states.get(key)
            if state is not None and run.phase != "ended":
                self._enter(run, state.phase, now)
                if run.record is None or state.phase == "ended":
                    run.words = state.words
            patience_s = self._silence_s if run.record is not None else self._start_s
            if run.phase == "begun" and now - run.heard_at >= patience_s:
                run.phase = "ended"
                run.words = f"it was silent for {patience_s:.0f} s"

    def _enter(self, run: _Run, phase: Literal["waiting", "begun", "ended"], now: float) -> None:
        if run.phase == "waiting" and phase != "waiting":
            run.began_at = run.heard_at = now
        if run.phase != "begun" or phase == "ended":
            run.phase = phase

    def _settle(self, each: _SliceState, now: float) -> list[Action]:
        runs = {key: run for key, run in self._runs.items() if run.number == each.slice.number}
        left = self._left(each)
        if each.done or not left:
            each.done = True
            return self._release(runs)
        over = {key: run for key, run in runs.items() if run.phase == "ended"}
        for run in over.values():
            if run.record is not None and run.record.outcome == "failed":
                raise SliceFailed(run.record.error)
        actions = self._release(over)
        if over and len(over) == len(runs) and not each.here:
            last = list(over.values())[-1]
            each.fruitless = 0 if len(left) < last.left_when_sent else each.fruitless + 1
            if each.fruitless >= self._tries:
                raise self._given_up(each, left, last)
            actions.append(self._send(each, left, now, why=last.words))
        return actions

    def _given_up(self, each: _SliceState, left: Sequence[int], last: _Run) -> JobError:
        if last.record is not None and last.record.outcome == "unfinished":
            shards = sum(len(self._left(other)) for other in self._slices)
            total = sum(len(other.slice.shards) for other in self._slices)
            return JobUnfinished(shards_left=shards, shards=total, cause=last.record.error)
        return SliceGivenUp(
            number=each.slice.number, runs=each.fruitless, shards=as_ranges(left), why=last.words
        )

    def _release(self, runs: Mapping[int, _Run]) -> list[Action]:
        for key in runs:
            del self._runs[key]
        return [Release(key, dead=run.phase == "ended") for key, run in runs.items()]

    def _left(self, each: _SliceState) -> tuple[int, ...]:
        return tuple(index for index in each.slice.shards if index not in self._committed)

    def _send(
        self,
        each: _SliceState,
        shards: tuple[int, ...],
        now: float,
        *,
        helps: bool = False,
        why: str = "",
    ) -> Send:
        key = self._sent
        self._sent += 1
        run = _Run(each.slice.number, shards, helps, heard_at=now, left_when_sent=len(shards))
        self._runs[key] = run
        return Send(key, each.slice.number, shards, backwards=helps, why=why)

    def _take_here(self, key: int) -> list[Action]:
        each = self._slices[self._runs[key].number]
        each.here = True
        released = self._release({key: self._runs[key]})
        return [*released, ScoreHere(each.slice.number, self._left(each))]

    def _help(self, now: float) -> list[Action]:
        """Send a second run to the slice that takes longest, from its other end."""
        rest = {
            key: self._rest_s(run, now)
            for key, run in self._runs.items()
            if self._alone(run) and self._slices[run.number].helpers < MOST_HELPERS
        }
        slowest = max(rest, key=rest.__getitem__, default=None)
        if slowest is None or rest[slowest] < self._help_s:
            return []
        each = self._slices[self._runs[slowest].number]
        each.helpers += 1
        return [self._send(each, self._left(each), now, helps=True, why="it is slow")]

    def _alone(self, run: _Run) -> bool:
        return sum(other.number == run.number for other in self._runs.values()) == 1

    def _rest_s(self, run: _Run, now: float) -> float:
        """Return how long the run takes for what it has not begun; 0 when it cannot be told."""
        done = len(from_ranges(run.record.done)) if run.record is not None else 0
        left = len(self._left(self._slices[run.number]))
        return (left - 1) * (now - run.began_at) / done if done and left > 1 else 0.0
