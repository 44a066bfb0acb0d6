"""Check which errors of a slice's run end its job, and in which words."""

import signal

import pytest
from prefect.exceptions import TerminationSignal

from flows.errors import JobUnfinished
from flows.shards.errors import StoreUnavailable
from flows.slice_ends import outcome_of, words_of
from inference.errors import ServerUnreachable, SignatureMismatch
from registry.errors import RegistryUnavailable


@pytest.mark.parametrize(
    ("error", "outcome"),
    [
        (SystemExit(1), "stopped"),
        (TerminationSignal(signal.SIGTERM), "stopped"),
        (JobUnfinished(shards_left=1, shards=2, cause="away"), "unfinished"),
        (ServerUnreachable("away"), "unfinished"),
        (StoreUnavailable("s3://lake/scores", "away"), "unfinished"),
        (RegistryUnavailable("away"), "unfinished"),
        (SignatureMismatch("another model"), "failed"),
        (KeyError(1), "failed"),
    ],
)
def test_only_what_would_happen_again_ends_the_job(error: BaseException, outcome: str) -> None:
    """The end of a process says nothing of its slice; what is away for a while comes back."""
    assert outcome_of(error) == outcome


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (SignatureMismatch("another\nmodel"), "another model"),
        (SystemExit(1), "SystemExit: 1"),
        (KeyError(1), "KeyError: 1"),
        (MemoryError(), "MemoryError"),
    ],
)
def test_an_error_that_is_not_ours_is_named(error: BaseException, words: str) -> None:
    """Its own words may be a number, or none."""
    assert words_of(error) == words
