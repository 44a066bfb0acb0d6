"""Say for which job a run of Prefect works: what the API and the flow agree on."""

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
