"""Say what the API and the flow agree on: for which job a run works, how it says its end."""

import re
from collections.abc import Iterable
from dataclasses import dataclass

DEPLOYMENT = "batch-inference/batch-inference"
"""Name by which Prefect knows what a submitted job runs; `prefect.yaml` deploys it."""

_TAG = "nightshift-job"


@dataclass(frozen=True, slots=True)
class Ticket:
    """One attempt at a job that is in the registry's table."""

    job: str
    """The job's id."""
    attempt: int
    """Which run of the job it is, counted from 1; a run that was given up is not listened to."""

    @property
    def tag(self) -> str:
        """The tag that the run has in Prefect, where people can look for it too."""
        return f"{_TAG}/{self.job}/{self.attempt}"

    @classmethod
    def among(cls, tags: Iterable[str]) -> "Ticket | None":
        """Return the ticket of a run with these tags, None where no job was submitted."""
        for tag in tags:
            kind, _, rest = tag.partition("/")
            job, _, attempt = rest.partition("/")
            if kind == _TAG and job and attempt.isascii() and attempt.isdecimal():
                return cls(job, int(attempt))
        return None


_PUBLISHED = re.compile(r"(\d+) rows, (\d+) of them in the quarantine, in (\d+) shards$")


@dataclass(frozen=True, slots=True)
class Published:
    """What a run says last, in its state in Prefect: the row may not have heard it."""

    rows: int
    """Rows of the dataset."""
    quarantined: int
    """Those of them that could not be scored."""
    shards: int
    """Shards they came in."""

    @property
    def words(self) -> str:
        """The message of the run's last state."""
        rows = f"{self.rows} rows, {self.quarantined} of them in the quarantine"
        return f"{rows}, in {self.shards} shards"

    @classmethod
    def told(cls, message: str) -> "Published | None":
        """Return what a message says, None for one that a run did not end with."""
        found = _PUBLISHED.match(message)
        return cls(*map(int, found.groups())) if found else None
