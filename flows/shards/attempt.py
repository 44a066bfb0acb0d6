"""Commit the part of one attempt for as long as its job holds the output."""

from pathlib import Path

from flows.shards.claim import check_claim
from flows.shards.commit import Adopted, Committed, commit_part
from flows.shards.errors import JobSuperseded
from flows.shards.fingerprint import Fingerprint
from flows.shards.object_store import ObjectStore
from flows.shards.withdrawal import withdraw_attempt


def commit_attempt(
    store: ObjectStore, fingerprint: Fingerprint, key: str, path: Path, write_id: str
) -> Committed | Adopted:
    """Commit the part at `path`; an attempt that lost leaves nothing in the output.

    1. The output is another job's before the commit: `JobSuperseded`.
    2. It is another job's after the commit: ours came too late for that job's publication to
       remove it, so it is taken back; `JobSuperseded`.
    3. Another attempt's part is there: adopted, our quarantined rows are taken back.

    Raises what `commit_part` raises. Safe to repeat with the same file.
    """
    try:
        check_claim(store, fingerprint)
        done = commit_part(store, key, path, write_id)
        check_claim(store, fingerprint)
    except JobSuperseded:
        withdraw_attempt(store, key, write_id)
        raise
    if isinstance(done, Adopted):
        withdraw_attempt(store, key, write_id)
    return done
