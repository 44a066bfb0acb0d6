"""What follows when a job and its run are compared, case by case."""

from dataclasses import replace
from datetime import timedelta

import pytest

from api.jobs.runs import ENDED, Run, RunKind
from api.jobs.verdicts import (
    AskCancel,
    Call,
    Lose,
    Move,
    Patience,
    Settle,
    Stop,
    Verdict,
    Wait,
    decide,
)
from inference.tickets import Published
from registry.jobs import FINISHED, Counts, JobState
from tests.contracts.test_job_rows import JOB
from tests.contracts.test_store import NOON

PATIENCE = Patience(
    ending=timedelta(seconds=20),
    stop=timedelta(seconds=15),
    silent=timedelta(seconds=60),
    pending=timedelta(seconds=600),
)
SENT = replace(JOB, run_id="r")
RUNNING = replace(SENT, state=JobState.RUNNING)
NOW, SOON, LATER = timedelta(0), timedelta(seconds=16), timedelta(seconds=61)


def _decided(
    state: JobState, kind: RunKind | None, unchanged: timedelta = NOW, *, asked: bool = False
) -> Verdict:
    ended = NOON if state in FINISHED else None
    asked_at = NOON if asked else None
    job = replace(SENT, state=state, ended_at=ended, cancel_asked_at=asked_at)
    run = None if kind is None else Run("r", kind, "words")
    return decide(job, run, now=NOON + unchanged, unchanged=unchanged, patience=PATIENCE)


@pytest.mark.parametrize(
    ("state", "kind", "unchanged", "verdict"),
    [
        (JobState.COMPLETED, RunKind.COMPLETED, NOW, Settle()),
        (JobState.COMPLETED_WITH_ERRORS, RunKind.COMPLETED, NOW, Settle()),
        (JobState.FAILED, RunKind.FAILED, NOW, Settle()),
        (JobState.FAILED, RunKind.CRASHED, NOW, Settle()),
        (JobState.CANCELLED, RunKind.CANCELLED, NOW, Settle()),
        (JobState.COMPLETED, None, NOW, Settle()),
        (JobState.COMPLETED, RunKind.RUNNING, NOW, Wait()),
        (JobState.COMPLETED, RunKind.RUNNING, LATER, Call(RunKind.COMPLETED)),
        (JobState.COMPLETED, RunKind.CANCELLED, NOW, Call(RunKind.COMPLETED)),
        (JobState.CANCELLED, RunKind.FAILED, NOW, Call(RunKind.CANCELLED)),
        (JobState.CANCELLED, RunKind.SCHEDULED, LATER, Call(RunKind.CANCELLED)),
    ],
)
def test_a_job_that_ended_has_its_run_end_alike(
    state: JobState, kind: RunKind | None, unchanged: timedelta, verdict: Verdict
) -> None:
    """After a while in which the run may end by itself."""
    assert _decided(state, kind, unchanged) == verdict


@pytest.mark.parametrize(
    ("state", "kind", "verdict"),
    [
        (JobState.RUNNING, RunKind.COMPLETED, Move(JobState.COMPLETED)),
        (JobState.RUNNING, RunKind.FAILED, Move(JobState.FAILED, "words")),
        (JobState.QUEUED, RunKind.FAILED, Move(JobState.FAILED, "words")),
        (JobState.RUNNING, RunKind.CANCELLED, Move(JobState.CANCELLED, "words")),
        (JobState.RUNNING, RunKind.CRASHED, Lose("words")),
        (JobState.RUNNING, None, Lose("Prefect has no such run any more")),
        (JobState.PAUSED, RunKind.FAILED, Wait()),
        (
            JobState.PUBLISHING,
            RunKind.CANCELLED,
            Lose("its run was cancelled while it published: words"),
        ),
    ],
)
def test_a_run_that_ended_has_its_job_follow(
    state: JobState, kind: RunKind | None, verdict: Verdict
) -> None:
    """What the run could not tell is taken from Prefect."""
    assert _decided(state, kind) == verdict


def test_rows_at_fault_are_an_end_with_errors() -> None:
    """As the run's last words say, which the row may not have heard; else as the row does."""
    run = Run("r", RunKind.COMPLETED)
    job = replace(RUNNING, counts=Counts(rows_quarantined=1))
    verdict = decide(job, run, now=NOON, unchanged=NOW, patience=PATIENCE)
    assert verdict == Move(JobState.COMPLETED_WITH_ERRORS)
    stale = replace(RUNNING, counts=Counts(rows_total=9, rows_done=5, shards_total=3, rate=7.0))
    for quarantined, state in ((2, "completed_with_errors"), (0, "completed")):
        told = replace(run, message=Published(9, quarantined, 3).words)
        verdict = decide(stale, told, now=NOON, unchanged=NOW, patience=PATIENCE)
        counts = Counts(9, 9, quarantined, 3, 3, rate=7.0, eta_s=None)
        assert verdict == Move(JobState(state), counts=counts)


@pytest.mark.parametrize(
    ("state", "kind", "unchanged", "asked", "verdict"),
    [
        (JobState.QUEUED, RunKind.SCHEDULED, LATER, False, Wait()),
        (JobState.QUEUED, RunKind.PENDING, LATER, False, Wait()),
        (JobState.RUNNING, RunKind.RUNNING, NOW, False, Wait()),
        (JobState.QUEUED, RunKind.RUNNING, NOW, False, Wait()),
        (JobState.QUEUED, RunKind.RUNNING, SOON, False, Move(JobState.PLANNING)),
        (JobState.RUNNING, RunKind.PAUSED, NOW, False, Move(JobState.PAUSED, "words")),
        (JobState.PAUSED, RunKind.PAUSED, NOW, False, Wait()),
        (JobState.QUEUED, RunKind.SCHEDULED, NOW, True, Stop()),
        (JobState.RUNNING, RunKind.RUNNING, NOW, True, Wait()),
        (JobState.RUNNING, RunKind.RUNNING, SOON, True, Stop()),
        (JobState.RUNNING, RunKind.CANCELLING, NOW, False, AskCancel()),
        (JobState.PUBLISHING, RunKind.CANCELLING, NOW, False, Wait()),
        (JobState.RUNNING, RunKind.CANCELLING, SOON, True, Wait()),
        (JobState.RUNNING, RunKind.CANCELLING, LATER, True, Call(RunKind.CANCELLED)),
    ],
)
def test_while_both_go_on(
    state: JobState, kind: RunKind, unchanged: timedelta, asked: bool, verdict: Verdict
) -> None:
    """A run is stopped when it does not stop itself; what waits for a worker may wait long."""
    assert _decided(state, kind, unchanged, asked=asked) == verdict


def test_a_silent_run_is_given_up() -> None:
    """Prefect hears of it; a run that a cluster starts may take longer."""
    lost = Lose("nothing was heard of its run for 61 s", call=True)
    assert _decided(JobState.RUNNING, RunKind.RUNNING, LATER) == lost
    minutes = timedelta(seconds=601)
    lost = Lose("nothing was heard of its run for 601 s", call=True)
    assert _decided(JobState.QUEUED, RunKind.PENDING, minutes) == lost


def test_every_pair_has_a_verdict() -> None:
    """Whatever Prefect says of whatever job; only a finished job is ever settled."""
    for state in JobState:
        for kind in (None, *RunKind):
            verdict = _decided(state, kind, LATER)
            assert isinstance(verdict, Settle) <= (state in FINISHED)
            if kind in ENDED and state not in FINISHED | {JobState.PAUSED}:
                assert isinstance(verdict, Move | Lose), (state, kind)


@pytest.mark.parametrize("kind", [RunKind.SCHEDULED, RunKind.PENDING])
@pytest.mark.parametrize("state", [JobState.PLANNING, JobState.RUNNING])
def test_a_run_that_prefect_hands_out_again_waits_in_the_queue(
    state: JobState, kind: RunKind
) -> None:
    """Somebody had it tried again in Prefect; a state that is about to change is no reason."""
    again = Move(JobState.QUEUED, "its run waits for a worker again")
    assert _decided(state, kind) == Wait()
    assert _decided(state, kind, SOON) == again
    assert _decided(JobState.PUBLISHING, kind, SOON) == Wait()
