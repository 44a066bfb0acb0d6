"""Datasets to score and jobs that score them without a server, for the tests of storage."""

import uuid
from collections.abc import Callable, Iterable, Mapping
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from flows.shards.claim import Claim, claim_output
from flows.shards.commit import Adopted, Committed, commit_part, part_key
from flows.shards.dataset import Dataset, open_dataset
from flows.shards.fingerprint import Fingerprint, ModelIdentity, fingerprint_of
from flows.shards.manifest import Cut, Manifest
from flows.shards.object_store import ObjectStore
from flows.shards.part_writer import PartWriter, scratch_folder
from flows.shards.planner import plan
from flows.shards.provenance import Provenance
from flows.shards.publish import finish_publication, publish, verify_parts
from flows.shards.quarantine import quarantine_key, write_quarantine
from flows.shards.reader import read_shard
from flows.shards.settings import S3Settings, ShardSettings
from flows.shards.types import QuarantinedRow, Shard

NOW = datetime(2026, 11, 23, 6, 30, tzinfo=UTC)
CUT = Cut(shard_rows=100, shard_bytes=2**30)
SETTINGS = ShardSettings(read_rows=32, footer_threads=4)
PART_SCHEMA = pa.schema([("id", pa.int64()), ("score", pa.float64())])


def write_lake(root: Path, rows: Mapping[str, int], *, row_group_rows: int = 50) -> Path:
    """Write files of `rows` rows, their `id` counting on; every tenth has no `delay`."""
    start = 0
    for key, count in rows.items():
        path = root / key
        path.parent.mkdir(parents=True, exist_ok=True)
        table = pa.table(
            {
                "id": pa.array(range(start, start + count), pa.int64()),
                "delay": pa.array(
                    [None if i % 10 == 0 else i / 2 for i in range(start, start + count)],
                    pa.float64(),
                ),
                "tail": pa.array([f"N{i}" for i in range(start, start + count)], pa.string()),
            }
        )
        pq.write_table(table, path, row_group_size=row_group_rows)
        start += count
    return root


def dataset_at(path: Path | str) -> Dataset:
    """Open a local dataset."""
    return open_dataset(str(path), S3Settings(), SETTINGS)


class Job:
    """A job that scores `delay` by doubling it and quarantines nulls."""

    def __init__(
        self,
        dataset: Dataset,
        output: ObjectStore,
        scratch: Path,
        *,
        version: int = 1,
        cut: Cut = CUT,
        mapping: Mapping[str, Any] | None = None,
    ) -> None:
        self.dataset = dataset
        self.output = output
        self.cut = cut
        self.files = dataset.input_files(["id", "delay"])
        self.settings = SETTINGS.model_copy(update={"scratch_dir": scratch})
        self.fingerprint: Fingerprint = fingerprint_of(
            input_uri=dataset.uri,
            files=self.files,
            model=ModelIdentity(name="delays", version=version, digest=f"sha256:{version}"),
            mapping=mapping or {"inputs": {"x": ["delay"]}},
            output_schema=[(field.name, str(field.type)) for field in PART_SCHEMA],
        )

    def claim(self, *, replace: bool = False) -> Claim:
        """Claim the output; the job has the claim's fingerprint from then on."""
        claim = claim_output(
            self.output,
            self.fingerprint,
            self.cut,
            replace=replace,
            now=NOW,
            lineage={"asked_by": "test"},
        )
        self.fingerprint = claim.fingerprint
        return claim

    def shards(self, claim: Claim) -> tuple[Shard, ...]:
        """Plan as the claim says."""
        return plan(self.files, shard_rows=claim.cut.shard_rows, shard_bytes=claim.cut.shard_bytes)

    def build(self, shard: Shard, *, write_id: str | None = None) -> tuple[Path, str]:
        """Score a shard up to its commit; returns the scratch file with its write id."""
        write_id = write_id or uuid.uuid4().hex
        scratch = scratch_folder(self.output, self.settings, self.fingerprint.digest)
        writer = PartWriter(PART_SCHEMA, scratch, self.settings)
        bad: list[QuarantinedRow] = []
        position = shard.row_start
        with closing(
            read_shard(self.dataset.store, shard, ["id", "delay"], batch_rows=32)
        ) as batches:
            for batch in batches:
                ok = pc.is_valid(batch["delay"])
                bad += [
                    QuarantinedRow(position + row, "encode", "null in delay", "null")
                    for row, valid in enumerate(ok.to_pylist())
                    if not valid
                ]
                kept = batch.filter(ok)
                scores = pc.multiply(kept["delay"], 2.0)
                writer.write(pa.record_batch([kept["id"], scores], schema=PART_SCHEMA))
                position += batch.num_rows
        key = part_key(shard.index, self.fingerprint.digest)
        quarantine = None
        if bad:
            quarantine = write_quarantine(
                self.dataset.store,
                self.output,
                shard,
                bad,
                key=quarantine_key(key, write_id),
                schema=self.dataset.schema,
                partition_schema=self.dataset.partition_schema,
                scratch_dir=scratch,
                settings=self.settings,
            )
        provenance = Provenance.of(
            shard,
            write_id=write_id,
            fingerprint=self.fingerprint.digest,
            rows_ok=writer.rows,
            rows_quarantined=len(bad),
            quarantine=quarantine.key if quarantine else None,
            quarantine_sha256=quarantine.sha256 if quarantine else None,
            model=f"delays@{self.fingerprint.model.version}",
            model_digest=self.fingerprint.model.digest,
            attempt=1,
            written_at=NOW,
            reasons={"null in delay": len(bad)} if bad else {},
            outputs={"score": {"rows": writer.rows}},
            timings={"read": 0.5},
        )
        return writer.finish(provenance.to_metadata()), write_id

    def score(self, shard: Shard) -> Committed | Adopted:
        """Score a shard and commit its part."""
        path, write_id = self.build(shard)
        key = part_key(shard.index, self.fingerprint.digest)
        done = commit_part(self.output, key, path, write_id, sleep=lambda _: None)
        path.unlink()
        return done

    def publish(self, claim: Claim, *, replace: bool = False) -> Manifest:
        """Publish what was committed."""
        return publish(
            self.output,
            self.fingerprint,
            self.shards(claim),
            claim,
            replace=replace,
            lineage={"asked_by": "test"},
            outputs={"score": {"rows": 1}},
            timings={"score": 1.5},
            now=NOW,
            threads=4,
        )

    def run(
        self,
        *,
        replace: bool = False,
        only: Callable[[Shard], bool] = lambda shard: True,
        scored: list[int] | None = None,
    ) -> Manifest | None:
        """Do the whole job; None when some shards were left out."""
        claim = self.claim(replace=replace)
        if claim.published is not None:
            finish_publication(self.output, claim.published)
            return claim.published
        shards = self.shards(claim)
        done = verify_parts(self.output, self.fingerprint, shards, threads=4)
        todo = [shard for shard in shards if shard.index not in done and only(shard)]
        for shard in todo:
            self.score(shard)
            if scored is not None:
                scored.append(shard.index)
        if len(todo) + len(done) < len(shards):
            return None
        return self.publish(claim, replace=replace)


def rows_of(output: ObjectStore, keys: Iterable[str]) -> list[dict[str, Any]]:
    """Every row of some Parquet objects, in their order."""
    return [
        row for key in keys for row in pq.read_table(pa.BufferReader(output.read(key))).to_pylist()
    ]
