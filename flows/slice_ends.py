"""Tell how the run of a slice ended, from the error that ended it."""

from typing import Literal

from flows.errors import JobError, JobUnfinished
from flows.shards.column_errors import MappingError
from flows.shards.errors import ShardError, StoreUnavailable
from inference.errors import InferenceError, TransientError
from registry.errors import RegistryError, RegistryUnavailable


def outcome_of(error: BaseException) -> Literal["failed", "unfinished", "stopped"]:
    """Say whether the same would end another run of the slice: then it failed.

    What is no `Exception` ends this process and says nothing of the slice: SIGTERM, or the exit
    with status 1 that rich makes of a line for the log when the worker that read it was killed.
    """
    if not isinstance(error, Exception):
        return "stopped"
    passing = JobUnfinished | TransientError | StoreUnavailable | RegistryUnavailable
    return "unfinished" if isinstance(error, passing) else "failed"


def words_of(error: BaseException) -> str:
    """Return an error of ours in its own words, one that nobody foresaw with its type."""
    told = " ".join(str(error).split())
    if isinstance(error, JobError | ShardError | MappingError | InferenceError | RegistryError):
        return told
    return f"{type(error).__name__}: {told}".removesuffix(": ")
