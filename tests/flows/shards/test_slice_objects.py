"""Check what the runs of a job tell each other beside its output."""

from pathlib import Path

import pytest

from flows.shards.object_store_local import LocalStore
from flows.shards.plan_file import plan_key
from flows.shards.slice_objects import (
    Lead,
    SliceRecord,
    give_up_lead,
    is_slice_object,
    lead_key,
    read_lead,
    read_record,
    record_key,
    record_prefix,
    remove_slice_objects,
    run_of,
    take_lead,
    write_record,
)
from flows.shards.visibility import is_hidden

DIGEST = "0123456789ab" + "f" * 52
OTHER = "ba9876543210" + "f" * 52


@pytest.fixture
def store(tmp_path: Path) -> LocalStore:
    return LocalStore(tmp_path)


def test_the_last_run_that_begins_leads(store: LocalStore) -> None:
    """An earlier one that ends then leaves the lead alone."""
    take_lead(store, DIGEST, Lead(coordinator="first"))
    take_lead(store, DIGEST, Lead(coordinator="second"))
    give_up_lead(store, DIGEST, "first")
    assert read_lead(store, DIGEST) == Lead(coordinator="second")
    give_up_lead(store, DIGEST, "second")
    assert read_lead(store, DIGEST) is None


def test_a_record_is_written_over(store: LocalStore) -> None:
    """Whoever writes learns who leads; another run's record has another name."""
    take_lead(store, DIGEST, Lead(coordinator="c"))
    key = record_key(DIGEST, "c", 3)
    for beat in (1, 2):
        lead = write_record(store, DIGEST, key, SliceRecord(beat=beat, done="0-4"))
        assert lead == Lead(coordinator="c")
    assert read_record(store, key) == SliceRecord(beat=2, done="0-4")
    assert run_of(key) == 3
    assert key.startswith(record_prefix(DIGEST, "c"))
    assert not key.startswith(record_prefix(DIGEST, "d"))


def test_no_record_comes_after_the_end(store: LocalStore, tmp_path: Path) -> None:
    """The job may be published by then: what was written is taken away again."""
    assert write_record(store, DIGEST, record_key(DIGEST, "c", 0), SliceRecord(beat=1)) is None
    assert [path for path in tmp_path.iterdir() if path.is_file()] == []


def test_damage_says_nothing(store: LocalStore, tmp_path: Path) -> None:
    """A lead that cannot be read is none, and so is a record."""
    for key in (lead_key(DIGEST), record_key(DIGEST, "c", 0)):
        (tmp_path / key).write_text("{")
    assert read_lead(store, DIGEST) is None
    assert read_record(store, record_key(DIGEST, "c", 0)) is None


def test_another_jobs_objects_stay(store: LocalStore, tmp_path: Path) -> None:
    """Those of the job itself go, and readers see neither."""
    for digest in (DIGEST, OTHER):
        for key in (lead_key(digest), record_key(digest, "c", 7), plan_key(digest)):
            (tmp_path / key).write_text("x")
            assert is_slice_object(key)
            assert is_hidden(key)
    remove_slice_objects(store, DIGEST)
    assert {path.name for path in tmp_path.iterdir() if path.is_file()} == {
        lead_key(OTHER),
        record_key(OTHER, "c", 7),
        plan_key(OTHER),
    }
