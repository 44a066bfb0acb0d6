"""The errors of jobs.

RegistryError
├── UnknownJob          no such job
└── RegistryConflict
    ├── OutputTaken     an unfinished job writes there
    ├── QueueFull       as many jobs are unfinished as may be
    ├── RequestReused   the name of the request stands for another one
    ├── MoveRefused     the job's state does not allow what is asked
    └── AttemptOver     a run that was given up, or has ended, may not speak for the job
"""

from registry.errors import RegistryConflict, RegistryError


class UnknownJob(RegistryError):
    """There is no such job."""

    def __init__(self, job: str) -> None:
        super().__init__(job)
        self.job = job

    def __str__(self) -> str:
        return f"there is no job {self.job!r}: see them with `nightshift jobs list`"


class OutputTaken(RegistryConflict):
    """An unfinished job writes there."""

    def __init__(self, output: str, job: str) -> None:
        super().__init__(output, job)
        self.output = output
        self.job = job
        """The job that writes there."""

    def __str__(self) -> str:
        return (
            f"job {self.job} writes at {self.output}, below or above it, and is not finished: wait "
            "for it, cancel it, or choose another output"
        )


class QueueFull(RegistryConflict):
    """As many jobs are unfinished as may be."""

    def __init__(self, most: int) -> None:
        super().__init__(most)
        self.most = most
        """How many may be unfinished at a time."""

    def __str__(self) -> str:
        return f"{self.most} jobs are unfinished, which is as many as may be: submit it later"


class RequestReused(RegistryConflict):
    """The name of the request stands for another one."""

    def __init__(self, job: str) -> None:
        super().__init__(job)
        self.job = job
        """The job that came of the other one."""

    def __str__(self) -> str:
        return (
            f"this Idempotency-Key came with another body before, which became job {self.job}: "
            "take a new key for a new job"
        )


class MoveRefused(RegistryConflict):
    """The job's state does not allow what is asked."""

    def __init__(self, job: str, state: str, asked: str) -> None:
        super().__init__(job, state, asked)
        self.job = job
        self.state = state
        """Where the job is."""
        self.asked = asked
        """What was asked: `cancel`, `resume` or a state."""

    def __str__(self) -> str:
        if (self.state, self.asked) == ("publishing", "cancel"):
            return (
                f"job {self.job} is being published, which is not cancelled any more: its output "
                "is there in a moment, delete it if nobody shall read it"
            )
        return f"job {self.job} is {self.state}, from where it cannot go on to: {self.asked}"


class AttemptOver(RegistryConflict):
    """A run that was given up, or has ended, may not speak for the job."""

    def __init__(self, job: str, attempt: int, now: int) -> None:
        super().__init__(job, attempt, now)
        self.job = job
        self.attempt = attempt
        """The run that spoke, counted from 1."""
        self.now = now
        """The run that counts."""

    def __str__(self) -> str:
        return (
            f"run {self.attempt} of job {self.job} was given up, run {self.now} goes on: nothing "
            "is to be done"
        )
