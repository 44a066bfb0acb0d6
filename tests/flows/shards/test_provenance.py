"""A part's footer tells where its rows come from, and rows cannot get lost in it."""

import pytest

from flows.shards.provenance import FOOTER_KEY, Provenance, RowsUnaccounted
from flows.shards.types import Shard
from tests.flows.shards.jobs import NOW, Job


@pytest.fixture
def shard(job: Job) -> Shard:
    """A shard of 100 rows."""
    return job.shards(job.claim())[0]


def state(shard: Shard, *, ok: int, bad: int, quarantine: str | None) -> Provenance:
    """The provenance of a part of `shard`."""
    return Provenance.of(
        shard,
        write_id="w",
        fingerprint="f" * 64,
        rows_ok=ok,
        rows_quarantined=bad,
        quarantine=quarantine,
        model="delays@1",
        model_digest="sha256:1",
        attempt=2,
        written_at=NOW,
        reasons={"null": bad},
        outputs={"score": {"histogram": [1, 2]}},
        timings={"read": 0.25},
    )


def test_survives_the_footer(shard: Shard) -> None:
    """What is written into the footer is read back whole."""
    written = state(shard, ok=90, bad=10, quarantine="_quarantine/x")
    (text,) = written.to_metadata().values()
    assert Provenance.from_metadata({FOOTER_KEY.encode(): text.encode()}) == written
    assert written.is_of(shard)


@pytest.mark.parametrize(
    ("ok", "bad", "quarantine"),
    [(99, 0, None), (100, 1, "q"), (90, 10, None), (100, 0, "q")],
)
def test_rows_must_be_accounted_for(
    shard: Shard, ok: int, bad: int, quarantine: str | None
) -> None:
    """Rows in are rows ok plus rows quarantined, and quarantined rows have an object."""
    with pytest.raises(RowsUnaccounted, match=f"100 in, {ok} scored and {bad} quarantined"):
        state(shard, ok=ok, bad=bad, quarantine=quarantine)


def test_other_rows_are_another_shard(job: Job) -> None:
    """A part is of its shard alone."""
    first, second = job.shards(job.claim())[:2]
    assert not state(first, ok=100, bad=0, quarantine=None).is_of(second)


@pytest.mark.parametrize(
    ("metadata", "words"),
    [
        (None, "does not say that Nightshift wrote it"),
        ({b"other": b"x"}, "does not say that Nightshift wrote it"),
        ({FOOTER_KEY.encode(): b"{"}, "is not valid"),
        ({FOOTER_KEY.encode(): b'{"write_id": 3}'}, "is not valid"),
    ],
)
def test_footer_of_another_writer(metadata: dict[bytes, bytes] | None, words: str) -> None:
    """A footer without a valid record says so."""
    with pytest.raises(ValueError, match=words):
        Provenance.from_metadata(metadata)
