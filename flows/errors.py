"""The errors of a job as a whole.

JobError
├── BudgetExceeded      more rows went to the quarantine than the job allows
├── JobCancelled        somebody cancelled it; what was committed is kept
├── JobUnfinished       the pool stayed away; what was committed is kept, run the job again
├── SliceFailed         the run of a slice met what ends the job
├── SliceGivenUp        the runs of a slice died again and again
├── SliceStopped        the run that handed out a slice has ended, or wants no more of it
├── TakenOver           another run of the job hands out its slices now
├── NightsFailed        some nights of a nightly run were not scored
├── NoDeployment        Prefect's server knows no deployment of that name
└── PrefectAway         Prefect's server stopped answering; the same
"""

from collections.abc import Sequence


class JobError(Exception):
    """A job that cannot publish its output."""


class BudgetExceeded(JobError):
    """More rows cannot be scored than the job allows."""

    def __init__(self, *, quarantined: int, allowed: int, reasons: Sequence[str]) -> None:
        named = "; ".join(reasons) or "no reason was given"
        rows = "1 row" if quarantined == 1 else f"{quarantined:,} rows"
        limit = "none" if allowed == 0 else f"{allowed:,}"
        super().__init__(
            f"at least {rows} cannot be scored ({named}), while the job allows {limit}: "
            "mend the rows, or allow more with --max-quarantined 5% (or a number of rows)"
        )
        self.quarantined = quarantined
        self.allowed = allowed


class JobCancelled(JobError):
    """Somebody asked for the job to be cancelled."""

    def __init__(self, job: str) -> None:
        super().__init__(
            f"job {job} is cancelled; what is done is kept: `nightshift jobs resume {job}` goes on"
        )
        self.job = job


class JobUnfinished(JobError):
    """Some shards could not be scored because no server answered for long."""

    def __init__(self, *, shards_left: int, shards: int, cause: str) -> None:
        super().__init__(
            f"{shards_left} of {shards} shards are not scored yet ({cause}); what is done is "
            "kept: run the same job again when the servers are back and it continues"
        )
        self.shards_left = shards_left


class PrefectAway(JobError):
    """Prefect's server does not answer any more."""

    def __init__(self, api_url: str, cause: str) -> None:
        super().__init__(
            f"Prefect's server at {api_url} does not answer any more ({cause}); what is done is "
            "kept: start it, then run the same job again and it continues"
        )
        self.api_url = api_url


class PrefectRefused(JobError):
    """Prefect's server, or what stands before it, refuses what was asked."""

    def __init__(self, api_url: str, cause: str) -> None:
        super().__init__(
            f"Prefect's server at {api_url} refuses ({cause}): see to PREFECT_API_URL, and to "
            "PREFECT_API_KEY or PREFECT_API_AUTH_STRING where it asks for one"
        )
        self.api_url = api_url


class SliceFailed(JobError):
    """The run of a slice met what would have ended the job in its own process."""

    def __init__(self, message: str) -> None:
        super().__init__(message)


class SliceGivenUp(JobError):
    """The runs of a slice died one after the other, and nothing of it was committed meanwhile."""

    def __init__(self, *, number: int, runs: int, shards: str, why: str) -> None:
        super().__init__(
            f"slice {number} is given up: {runs} runs of it ended without committing any of its "
            f"shards {shards} (the last: {why}); what is done is kept: look at their logs, then "
            "run the same job again and it continues"
        )
        self.number = number


class SliceStopped(JobError):
    """Nobody waits for the rest of the slice any more."""

    def __init__(self, why: str) -> None:
        super().__init__(f"slice stopped: {why}: what it committed is kept")


class TakenOver(JobError):
    """Another run of the same job hands out its slices now."""

    def __init__(self, uri: str) -> None:
        super().__init__(
            f"another run of this job has begun to write to {uri}: watch that one; what is done "
            "is kept for it"
        )


class NightsFailed(JobError):
    """Some nights could not be scored; the others were."""

    def __init__(self, nights: Sequence[str]) -> None:
        count = "1 night" if len(nights) == 1 else f"{len(nights)} nights"
        super().__init__(
            f"{count} not scored: {'; '.join(nights)}: the next run tries them again, as does "
            "`nightshift backfill`"
        )
        self.nights = tuple(nights)


class NoDeployment(JobError):
    """Prefect's server knows no deployment of that name."""

    def __init__(self, name: str) -> None:
        super().__init__(
            f"no deployment {name} at Prefect's server: run `prefect --no-prompt deploy --all` in "
            "the checkout, or name another"
        )
