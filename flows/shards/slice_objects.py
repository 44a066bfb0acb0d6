"""Keep what a job's own run and the runs of its slices tell each other, beside the output.

Two kinds of small objects, both hidden from readers. The *lead* names the run that hands out the
slices: a slice's run stops when it no longer finds the one that sent it. The lead goes before the
output is published, or when the job ends otherwise. A *record* is how far one run of one slice is,
written over and over; it changes while the run lives, which looks for the lead after each writing:
so no record is left behind.
"""

from typing import Literal

from pydantic import BaseModel, ConfigDict, ValidationError

from flows.shards.errors import NoSuchObject
from flows.shards.object_store import ObjectStore
from flows.shards.plan_file import plan_key

LEAD_PREFIX = "_lead-"
"""Names of leads, in the output's root."""
RECORD_PREFIX = "_slice-"
"""Names of the records of slices' runs."""


class Lead(BaseModel):
    """Who hands out a job's slices."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    coordinator: str
    """The run of the job that does; the last one that began."""


class SliceRecord(BaseModel):
    """How far one run of one slice is."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    beat: int
    """Counts the writes; a run whose beat stands still is dead."""
    done: str = ""
    """Shards of the slice that it committed, or found committed: `0-99,120`."""
    rows_under_way: int = 0
    """Rows that it has scored of shards that are not committed yet."""
    quarantined_under_way: int = 0
    """Those of them that could not be."""
    stages: dict[str, float] = {}
    """Seconds that its shards took, by stage."""
    outcome: Literal["running", "completed", "failed", "unfinished", "stopped"] = "running"
    """`failed` would fail again; `unfinished` may succeed when it is tried again."""
    error: str = ""
    """What ended it, in one line."""


def lead_key(fingerprint: str) -> str:
    """Name the lead of a job."""
    return f"{LEAD_PREFIX}{fingerprint[:12]}.json"


def take_lead(store: ObjectStore, fingerprint: str, lead: Lead) -> None:
    """Say who hands out slices from now on; runs of another one's slices stop. Blocks."""
    store.replace(lead_key(fingerprint), lead.model_dump_json().encode(), if_etag=None)


def read_lead(store: ObjectStore, fingerprint: str) -> Lead | None:
    """Return who hands out slices; None when the run of the job that did has ended. Blocks."""
    try:
        return Lead.model_validate_json(store.read(lead_key(fingerprint)))
    except (NoSuchObject, ValidationError):
        return None


def give_up_lead(store: ObjectStore, fingerprint: str, coordinator: str) -> None:
    """Say that nobody waits for the slices of `coordinator` any more. Blocks; safe to repeat."""
    lead = read_lead(store, fingerprint)
    if lead is not None and lead.coordinator == coordinator:
        store.delete(lead_key(fingerprint))


def record_prefix(fingerprint: str, coordinator: str) -> str:
    """Return what the records of all runs of a job's slices begin with."""
    return f"{RECORD_PREFIX}{fingerprint[:12]}-{coordinator[:12]}-"


def record_key(fingerprint: str, coordinator: str, run: int) -> str:
    """Name the record of a slice's run; `run` counts all runs that the coordinator sent out."""
    return f"{record_prefix(fingerprint, coordinator)}{run:05d}.json"


def run_of(key: str) -> int:
    """Return the run whose record is at `key`."""
    return int(key.removesuffix(".json").rpartition("-")[2])


def write_record(
    store: ObjectStore, fingerprint: str, key: str, record: SliceRecord
) -> Lead | None:
    """Write over what the run said before; returns who leads then. Blocks.

    Without a lead the record is taken away again: the job may be published, and a record that came
    after that would stay.
    """
    store.replace(key, record.model_dump_json().encode(), if_etag=None)
    lead = read_lead(store, fingerprint)
    if lead is None:
        store.delete(key)
    return lead


def read_record(store: ObjectStore, key: str) -> SliceRecord | None:
    """Return what a run says; None when it says nothing that can be read. Blocks."""
    try:
        return SliceRecord.model_validate_json(store.read(key))
    except (NoSuchObject, ValidationError):
        return None


def is_slice_object(key: str) -> bool:
    """Whether only the runs of a job that is spread over workers write such a name."""
    return key.startswith((LEAD_PREFIX, RECORD_PREFIX, "_plan-"))


def remove_slice_objects(store: ObjectStore, fingerprint: str) -> None:
    """Take away what a job's runs told each other, the lead first, so that they stop. Blocks."""
    store.delete(lead_key(fingerprint))
    for info in store.list(f"{RECORD_PREFIX}{fingerprint[:12]}-"):
        store.delete(info.key)
    store.delete(plan_key(fingerprint))
