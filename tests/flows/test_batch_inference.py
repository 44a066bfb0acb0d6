"""Check whole jobs with a real Triton and a real Prefect."""

import asyncio
import json

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from prefect.client.orchestration import get_client
from prefect.client.schemas.filters import ArtifactFilter, ArtifactFilterFlowRunId
from prefect.client.schemas.objects import Artifact, FlowRun, State
from prefect.client.schemas.sorting import FlowRunSort

from cli.stack.triton import LocalTriton
from flows.batch_inference import batch_inference
from flows.launch import run_here
from flows.progress import Snapshot, observed_by
from flows.report_data import JobReport
from flows.report_markdown import render_markdown
from flows.shards.errors import OutputOccupied
from inference.errors import PoolUnavailable, SignatureMismatch, UnknownModel
from inference.jobs import BatchJob
from registry.catalog import Catalog
from registry.errors import RegistryError
from registry.settings import RegistrySettings
from registry.store import open_store
from tests.flows.bench import numbers, quarantined, write
from tests.flows.workplace import PLATFORM_MARKS, Workplace, requests_of

pytestmark = PLATFORM_MARKS


@pytest.mark.parametrize("workplace", ["local", "s3"], indirect=True)
def test_a_job_end_to_end(workplace: Workplace, triton: LocalTriton) -> None:
    """Every row is scored once and published; the same job again asks no server."""
    expected = workplace.numbers()
    told: list[Snapshot] = []
    with observed_by(told.append):
        report = run_here(workplace.job())
    assert workplace.scores() == expected
    assert (report.rows_in, report.rows_ok, report.rows_quarantined) == (300, 300, 0)
    assert (report.shards_scored, report.shards_adopted, report.notes) == (6, 0, ())
    keys = workplace.keys()
    assert {"_manifest.json", "_SUCCESS", "_report.html"} < keys
    assert len([key for key in keys if key.startswith("part-")]) == 6
    assert len(keys) == 9
    assert [told[0].phase, told[-1].phase] == ["resolve", "report"]
    assert (told[-1].rows_done, told[-1].shards_done) == (300, 6)

    asked = requests_of(triton)
    again = run_here(workplace.job())
    assert requests_of(triton) == asked
    assert (again.shards_scored, again.shards_adopted, again.rows_ok) == (0, 6, 300)
    assert workplace.scores() == expected


@pytest.mark.parametrize("workplace", ["careless"], indirect=True)
def test_a_store_that_ignores_conditional_writes(workplace: Workplace) -> None:
    """The rows are right all the same, and the report says what is weaker."""
    expected = workplace.numbers()
    report = run_here(workplace.job())
    assert workplace.scores() == expected
    (note,) = report.notes
    assert "ignores conditional writes" in note
    assert run_here(workplace.job()).shards_scored == 0
    with pytest.raises(OutputOccupied):
        run_here(workplace.job(keep="none"))


async def artifacts_of(job: BatchJob) -> tuple[FlowRun, dict[str, Artifact]]:
    """Return the job's run as Prefect knows it, with its artifacts by kind."""
    async with get_client() as client:
        runs = await client.read_flow_runs(sort=FlowRunSort.START_TIME_DESC, limit=20)
        (run,) = [run for run in runs if job.output in str(run.parameters)]
        found = await client.read_artifacts(
            artifact_filter=ArtifactFilter(flow_run_id=ArtifactFilterFlowRunId(any_=[run.id]))
        )
    return run, {artifact.type or "": artifact for artifact in found}


def test_prefect_shows_what_happened(workplace: Workplace) -> None:
    """Progress and the report as artifacts; the page itself beside the manifest."""
    values: list[float | None] = [1.0] * 60
    values[5] = values[50] = None
    values[7] = -1.0
    numbers(workplace.folder / "lake/a.parquet", values)
    job = workplace.job(max_quarantined_fraction=0.05)
    report = run_here(job)
    assert report.rows_quarantined == 3
    assert 0 < report.wall_s < 200, "seconds"
    run, artifacts = asyncio.run(artifacts_of(job))
    assert run.state is not None
    assert run.state.is_completed()
    assert run.name == "score doubling@champion"
    assert set(artifacts) == {"markdown", "progress"}
    assert artifacts["progress"].data == 100.0
    assert artifacts["markdown"].data == render_markdown(report)
    reasons = [(reason.reason, reason.rows, reason.stage) for reason in report.reasons]
    assert reasons == [("null in x", 2, "encode"), ("rejected by the model", 1, "model")]
    assert [example.row for example in report.reasons[1].examples] == [7]
    page = (workplace.folder / "scores/_report.html").read_text()
    for words in ("doubling@1", "null in x", "rejected by the model", "57", report.fingerprint):
        assert words in page
    assert "http://" not in page.replace("http://www.w3.org", "")


def test_any_reader_sees_the_scores_alone(workplace: Workplace) -> None:
    """By dataset and by glob: no manifest, no report, no quarantine."""
    values: list[float | None] = [float(k) for k in range(120)]
    values[3] = None
    numbers(workplace.folder / "lake/month=1/a.parquet", values)
    run_here(workplace.job(max_quarantined_rows=1))
    output = workplace.folder / "scores"
    assert workplace.read().num_rows == 119
    assert pq.read_table(output).num_rows == 119
    assert sum(pq.read_metadata(path).num_rows for path in output.glob("*.parquet")) == 119
    (bad,) = quarantined(output)
    assert (bad["id"], bad["month"], bad["_reason"]) == (3, 1, "null in x")
    manifest = json.loads((output / "_manifest.json").read_text())
    assert manifest["rows_in"] == manifest["rows_ok"] + manifest["rows_quarantined"] == 120
    assert {part["key"] for part in manifest["parts"]} == {
        path.name for path in output.glob("part-*.parquet")
    }


def test_another_job_is_a_conflict_until_it_may_replace(workplace: Workplace) -> None:
    """A changed mapping, model or input is named; `replace` switches, and cleans up."""
    workplace.numbers(files=2)
    run_here(workplace.job())
    before = workplace.keys()
    with pytest.raises(OutputOccupied, match=r"output y.*--replace"):
        run_here(workplace.job(rename={"y": "score"}))

    workplace.register("limited")
    with pytest.raises(OutputOccupied, match=r"model doubling@1 .* doubling@2"):
        run_here(workplace.job())
    pinned = workplace.job(model="doubling@1")
    assert run_here(pinned).shards_scored == 0, "a pinned version is still the same job"

    expected = workplace.numbers(files=3)
    with pytest.raises(OutputOccupied, match=r"month=3/a\.parquet"):
        run_here(pinned)
    assert workplace.keys() == before

    replaced = run_here(workplace.job(model="doubling@1", replace=True))
    assert (replaced.shards_scored, replaced.rows_ok) == (6, 300)
    assert workplace.scores() == expected
    assert not (workplace.keys() & {key for key in before if key.startswith("part-")})


async def test_a_plain_call_does_the_same(workplace: Workplace) -> None:
    """The flow can be awaited by whoever has a loop."""
    expected = workplace.numbers(files=1)
    report = await batch_inference(workplace.job())
    assert report.rows_ok == 100
    assert workplace.scores() == expected


def test_no_rows_at_all(workplace: Workplace) -> None:
    """An output without parts is published all the same."""
    numbers(workplace.folder / "lake/a.parquet", [])
    report = run_here(workplace.job())
    assert (report.rows_in, report.rate) == (0, None)
    assert workplace.keys() == {"_manifest.json", "_SUCCESS", "_report.html"}


def test_a_quarantined_row_that_python_cannot_print(workplace: Workplace) -> None:
    """A year after 9999 in a column beside the inputs: published, kept and reported."""
    whens = pa.array([2**60, 2**60], pa.timestamp("us"))
    table = pa.table({"x": pa.array([None, 2.0], pa.float32()), "when": whens})
    write(workplace.folder / "lake/a.parquet", table)
    report = run_here(workplace.job(keep=["when"], max_quarantined_rows=1))
    shown = {"x": "null", "when": f"<value out of range: {2**60}>"}
    assert [row.values for reason in report.reasons for row in reason.examples] == [shown]
    assert {"_manifest.json", "_SUCCESS", "_report.html"} < workplace.keys()
    (part,) = (workplace.folder / "scores").glob("part-*.parquet")
    assert pq.read_table(part)["when"].combine_chunks() == whens[1:]


def test_a_strict_budget_publishes_nothing(workplace: Workplace) -> None:
    """The output is free for another job when nothing was committed; else it is kept."""
    numbers(workplace.folder / "lake/a.parquet", [None] * 10)
    with pytest.raises(Exception, match=r"10 rows cannot be scored .* the job allows none"):
        run_here(workplace.job())
    assert workplace.keys() == set()
    report = run_here(workplace.job(max_quarantined_fraction=1.0))
    assert (report.rows_ok, report.rows_quarantined) == (0, 10)


def test_a_budget_may_be_raised_later(workplace: Workplace, triton: LocalTriton) -> None:
    """What was committed before the budget ran out is kept, and counts."""
    workplace.configure(shards_in_flight=1)
    first: list[float | None] = [1.0] * 50
    first[0] = None
    numbers(workplace.folder / "lake/a.parquet", first)
    numbers(workplace.folder / "lake/b.parquet", [None, 2.0], first_id=50)
    with pytest.raises(Exception, match=r"2 rows cannot be scored .* the job allows 1:"):
        run_here(workplace.job(max_quarantined_rows=1))
    assert not workplace.is_published()
    with pytest.raises(Exception, match=r"2 rows cannot be scored .* the job allows 1:"):
        run_here(workplace.job(max_quarantined_rows=1))
    asked = requests_of(triton)
    report = run_here(workplace.job(max_quarantined_rows=2))
    assert requests_of(triton) == asked + 1
    assert (report.shards_scored, report.shards_adopted, report.rows_quarantined) == (1, 1, 2)


@pytest.mark.parametrize(
    ("asked", "error", "words"),
    [
        ({"model": "nothing@champion"}, RegistryError, "unknown model 'nothing'"),
        ({"model": "doubling@best"}, RegistryError, "champion"),
        ({"model": "doubling@9"}, RegistryError, "doubling"),
        ({"model": "doubling"}, ValueError, "write NAME@ALIAS"),
    ],
)
def test_models_that_cannot_be_resolved(
    workplace: Workplace, asked: dict[str, str], error: type[Exception], words: str
) -> None:
    """Said before the dataset is touched."""
    with pytest.raises(error, match=words):
        run_here(workplace.job(**asked))
    assert not (workplace.folder / "scores").exists()


def test_a_model_that_the_servers_do_not_have(
    workplace: Workplace,
) -> None:
    """Unknown to the server, of another signature, or no server at all: three errors."""
    workplace.numbers(files=1)
    with pytest.raises(SignatureMismatch, match="serve the registered file"):
        run_here(workplace.job(model=registered_as(workplace, "faulty", "linear")))
    with pytest.raises(UnknownModel, match="gone"):
        run_here(workplace.job(model=registered_as(workplace, "gone", "linear")))
    workplace.serve("127.0.0.1:9")
    with pytest.raises(PoolUnavailable, match=r"127\.0\.0\.1:9"):
        run_here(workplace.job())
    assert not (workplace.folder / "scores").exists()


def registered_as(workplace: Workplace, served: str, described_by: str) -> str:
    """Register a served name with the signature of another model."""
    like = workplace.register(described_by, name="like")
    store = open_store(RegistrySettings())
    try:
        version = Catalog(store).register(
            "odd",
            signature=like.signature,
            digest=f"sha256:{served.encode().hex():0>64}",
            served_name=served,
            served_version="1",
        )
    finally:
        store.close()
    return f"odd@{version.version}"


def test_the_last_state_says_what_was_published(workplace: Workplace) -> None:
    """For those who could not hear it from the run; the callers get the report."""
    workplace.numbers(files=1, rows=60)

    async def ended() -> tuple[State[JobReport], JobReport]:
        state = await batch_inference(workplace.job(), return_state=True)
        return state, await state.aresult()

    state, report = asyncio.run(ended())
    words = "60 rows, 0 of them in the quarantine, in 2 shards"
    assert (state.name, state.message, report.rows_ok) == ("Completed", words, 60)
