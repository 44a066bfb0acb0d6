"""Plan a job: what is read, how it is cut, what is left to do."""

from collections.abc import Mapping as AnyMapping
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from flows.shards.claim import Claim, claim_output
from flows.shards.commit import PartRecord
from flows.shards.dataset import Dataset, open_dataset
from flows.shards.errors import OutputNotWritable
from flows.shards.fingerprint import Fingerprint, ModelIdentity, fingerprint_of
from flows.shards.manifest import Cut
from flows.shards.mapping import Mapping, compile_mapping
from flows.shards.object_store import ObjectStore, open_store
from flows.shards.planner import plan
from flows.shards.publish import verify_parts
from flows.shards.settings import S3Settings, ShardSettings
from flows.shards.types import InputFile, Shard
from inference.jobs import BatchJob
from registry.domain import ModelVersion


def lineage_of(job: BatchJob) -> dict[str, object]:
    """Say what was asked for, as JSON values."""
    return {"job": job.model_dump(mode="json")}


@dataclass(frozen=True, slots=True)
class JobPlan:
    """Everything that is decided before the first row is scored."""

    dataset: Dataset
    """What is read."""
    output: ObjectStore
    """Where it goes."""
    mapping: Mapping
    """How columns become tensors and answers become columns."""
    fingerprint: Fingerprint
    """What the output is a function of."""
    claim: Claim
    """The right to write to the output."""
    shards: tuple[Shard, ...]
    """The whole job."""
    committed: AnyMapping[int, PartRecord]
    """Parts of earlier runs, verified, by shard."""

    @property
    def left(self) -> tuple[Shard, ...]:
        """The shards that are still to be scored."""
        return tuple(shard for shard in self.shards if shard.index not in self.committed)

    @property
    def rows(self) -> int:
        """Rows of the whole job."""
        return sum(shard.rows for shard in self.shards)


def plan_ahead(
    job: BatchJob,
    model: ModelVersion,
    *,
    files: ShardSettings,
    s3: S3Settings,
    now: datetime,
    most_files: int,
) -> JobPlan | None:
    """Plan the job before there are servers, unless its dataset has more than `most_files`.

    So that nobody waits for servers to hear of a wrong path, a broken file or an occupied output.
    None, with as much looked at as that many footers tell, when there are more. Blocks. Raises as
    `plan_job`, and claims the output as it does; `withdraw_claim` gives it up.
    """
    output = open_store(job.output, s3)
    dataset = open_dataset(job.input, s3, files, most_files=most_files + 1)
    if len(dataset.files) <= most_files:
        return _planned(job, model, dataset, files=files, s3=s3, now=now)
    map_columns(job, model, dataset)
    probe = output.probe()
    output.clear_scratch()
    if not probe.writable:
        raise OutputNotWritable(output.uri, probe.detail)
    return None


def map_columns(job: BatchJob, model: ModelVersion, dataset: Dataset) -> Mapping:
    """Decide how the dataset's columns feed the model; raises a `MappingError`."""
    return compile_mapping(
        model.signature,
        dataset.schema,
        dataset.partition_schema,
        columns=job.columns,
        keep=job.keep,
        rename=job.rename,
        casts=job.casts,
        text=job.text,
        registered=model.columns,
    )


def identify(
    job: BatchJob,
    model: ModelVersion,
    dataset: Dataset,
    mapping: Mapping,
    files: Sequence[InputFile],
) -> Fingerprint:
    """Make the fingerprint of a job that reads `files`."""
    return fingerprint_of(
        input_uri=dataset.uri,
        files=files,
        model=ModelIdentity(name=model.name, version=model.version, digest=model.digest),
        mapping={**mapping.to_json(), "non-finite answers": job.allow_non_finite},
        output_schema=[(field.name, str(field.type)) for field in mapping.output_schema],
    )


def plan_job(
    job: BatchJob,
    model: ModelVersion,
    *,
    files: ShardSettings,
    s3: S3Settings,
    now: datetime,
) -> JobPlan:
    """Read the footers, check the columns against the signature, claim the output, cut shards.

    Blocks. Nothing is written but the claim, and damaged parts of a published output are removed.
    Raises a `ShardError` of the input or the output, or a `MappingError`.
    """
    dataset = open_dataset(job.input, s3, files)
    return _planned(job, model, dataset, files=files, s3=s3, now=now)


def _planned(
    job: BatchJob,
    model: ModelVersion,
    dataset: Dataset,
    *,
    files: ShardSettings,
    s3: S3Settings,
    now: datetime,
) -> JobPlan:
    mapping = map_columns(job, model, dataset)
    read = dataset.input_files(mapping.read_columns)
    fingerprint = identify(job, model, dataset, mapping, read)
    output = open_store(job.output, s3)
    cut = Cut(shard_rows=files.shard_rows, shard_bytes=files.shard_bytes)
    claim = claim_output(
        output, fingerprint, cut, replace=job.replace, now=now, lineage=lineage_of(job)
    )
    shards = plan(read, shard_rows=claim.cut.shard_rows, shard_bytes=claim.cut.shard_bytes)
    fingerprint = claim.fingerprint
    committed = verify_parts(output, fingerprint, shards, threads=files.footer_threads)
    return JobPlan(dataset, output, mapping, fingerprint, claim, shards, committed)
