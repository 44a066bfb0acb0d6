"""Take the output's store away while slices are scored: no run is taken for dead."""

import time
from collections import Counter

import pytest

from tests.chaos.checker import inspect
from tests.chaos.jobs.site import Site
from tests.chaos.jobs.test_killed_slices import SPREAD, Shift, fingerprint_of
from tests.chaos.jobs.test_killed_slices import shift as shift
from tests.chaos.seeds import Chaos
from tests.deployments.conftest import deployed as deployed
from tests.deployments.conftest import prefect_command as prefect_command
from tests.deployments.workers import awaited, slice_runs, submit
from tests.flows.workplace import PLATFORM_MARKS

pytestmark = [*PLATFORM_MARKS, pytest.mark.chaos]

AWAY_S, SILENCE_S = 70.0, 60.0


class Outage:
    """The store goes when the model was asked something, and comes back after a while."""

    def __init__(self, site: Site, after_s: float) -> None:
        self._site = site
        self._after_s = after_s
        self._mark = site.witness.mark()
        self._asked_at: float | None = None
        self._gone_at: float | None = None
        self.is_over = False
        """Whether it came back."""
        self.fingerprint = ""
        """The job's, once the store went."""
        self.live = 0
        """Runs of slices that had begun when it went, as far as Prefect knew."""

    def __call__(self) -> None:
        """Look whether it is time to take it away, or to bring it back."""
        now = time.monotonic()
        if self.is_over:
            return
        if self._gone_at is not None:
            if now - self._gone_at >= AWAY_S:
                self._site.revive("s3")
                self.is_over = True
        elif self._asked_at is None:
            if self._site.witness.mark() != self._mark:
                self._asked_at = now
        elif now - self._asked_at >= self._after_s:
            self.fingerprint = fingerprint_of(self._site, "scores")
            runs = slice_runs(self.fingerprint)
            self.live = sum(run.state_name == "Running" for run in runs)
            self._site.kill("s3")
            self._gone_at = now


@pytest.mark.slow
@pytest.mark.timeout(400)
@pytest.mark.long_form("minutes of an outage; tests/flows/test_dispatch.py has what is decided")
@pytest.mark.parametrize("site", ["s3"], indirect=True)
def test_a_store_that_was_away_has_no_run_taken_for_dead(
    site: Site, shift: Shift, chaos: Chaos
) -> None:
    """For longer than a run may be silent: the runs live, they only could not be heard."""
    site.workplace.configure(task_retry_delays_s="[1,2,4,8,15,15,15,15]")
    outage = Outage(site, chaos.random().uniform(0.2, 1.0))
    settings = SPREAD | {"slice_silence_s": SILENCE_S}
    run = awaited(submit(site.job("scores"), **settings), within_s=300, meanwhile=outage)
    assert run.state_name == "Completed", run.state
    assert outage.is_over
    assert outage.live > 0
    verdict = inspect(site.read("scores"), site.expected)
    assert (verdict.state, verdict.leftovers, verdict.is_clean) == ("published", (), True), verdict
    ends = Counter(run.state_name for run in slice_runs(outage.fingerprint))
    # A run that could not even begin without the store has failed, and another did its work.
    assert ends.keys() <= {"Completed", "Failed"}
    assert ends["Completed"] == 6
    chaos.tell(f"away for {AWAY_S:.0f} s with {outage.live} runs of slices: {dict(ends)}")
