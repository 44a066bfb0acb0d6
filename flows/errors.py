"""The errors of a job as a whole.

JobError
├── BudgetExceeded      more rows went to the quarantine than the job allows
├── JobUnfinished       the pool stayed away; what was committed is kept, run the job again
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
