"""Check `nightshift score` from the words typed to the lines printed."""

import io
import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from typer.testing import CliRunner, Result

from cli.main import app
from cli.running import score_with_servers
from cli.settings import LocalSettings
from cli.stack.prefect_server import LocalPrefect
from cli.stack.triton import LocalTriton
from flows.launch import run_here
from registry.catalog import Catalog
from registry.settings import RegistrySettings
from registry.store import open_store
from tests.cli.stack.processes import eventually, runs
from tests.cli.test_main import INTERRUPTED
from tests.conftest import MODELS, PREFECT_TEMPLATE, ROOT
from tests.flows.bench import numbers, write
from tests.flows.workplace import PLATFORM_MARKS, SLEEPS, Workplace, held

pytestmark = PLATFORM_MARKS

Score = Callable[..., Result]


@pytest.fixture
def score(
    workplace: Workplace, prefect_api: LocalPrefect, monkeypatch: pytest.MonkeyPatch
) -> Score:
    """Call with more words after `nightshift score`; the dataset is `lake`, the output `scores`."""
    monkeypatch.setenv("PREFECT_API_URL", prefect_api.api_url)
    monkeypatch.setenv("COLUMNS", "200")
    words = {"--model": "doubling@champion", "--input": "lake", "--output": "scores"}

    def run(*more: str) -> Result:
        missing = [word for pair in words.items() if pair[0] not in more for word in pair]
        return CliRunner().invoke(app, ["score", *missing, *more])

    return run


def test_a_job_tells_how_far_it_is_and_how_it_went(workplace: Workplace, score: Score) -> None:
    """Plain lines and a table on standard output, nothing on standard error."""
    workplace.configure(progress_interval_s=0.01)
    values: list[float | None] = [float(k) for k in range(120)]
    values[3], values[4] = None, SLEEPS - 100
    numbers(workplace.folder / "lake/a.parquet", values)
    result = score("--max-quarantined", "1%")
    assert (result.exit_code, result.stderr) == (0, "")
    lines = [" ".join(line.split()) for line in result.stdout.splitlines()]
    told = [line.partition(":")[0] for line in lines]
    for phase in ("resolving the model", "scoring", "writing the report"):
        assert phase in told
    for line in (
        "doubling@1 scored 119 of 120 rows",
        "quarantined 1 rows (0.83%)",
        "1 × null in x",
        "shards 3 scored",
        f"scores {workplace.uri('scores')}",
        f"report {workplace.uri('scores')}/_report.html",
    ):
        assert line in lines
    again = score("--max-quarantined", "1%")
    assert "3 found committed and verified, nothing left to score" in again.stdout


def test_every_option_reaches_the_job(workplace: Workplace, score: Score) -> None:
    """Columns, names, text, casts and what is kept."""
    table = pa.table({"id": [1, 2], "n": [0.1, 0.2], "extra": ["a", "b"]})
    write(workplace.folder / "lake/year=2026/a.parquet", table)
    words = ("--columns", "x=n", "--keep", "id", "--rename", "y=twice", "--cast", "lossy")
    result = score(*words, "--replace", "--allow-non-finite")
    assert result.exit_code == 0, result.stderr
    rows = workplace.read()
    assert rows.column_names == ["id", "year", "twice"]
    assert rows["twice"].to_pylist() == pa.array([0.2, 0.4], pa.float32()).to_pylist()
    refused = score(*words, "--text", "y")
    assert refused.exit_code == 1
    assert "output 'y' is FP32: only BYTES can be written as text" in refused.stderr


def cut_footer(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-20])


def bad_page(path: Path) -> None:
    """Overwrite the second row group's `x`, behind its page header."""
    column = pq.read_metadata(path).row_group(1).column(1)
    with path.open("r+b") as file:
        file.seek((column.dictionary_page_offset or column.data_page_offset) + 60)
        file.write(b"\xff" * (column.total_compressed_size - 60))


def of_text(path: Path) -> None:
    write(path, {"id": [1], "x": ["one"]})


def of_other_columns(path: Path) -> None:
    write(path, {"id": [1], "z": pa.array([1.0], pa.float32())})


def emptied(path: Path) -> None:
    path.unlink()
    path.with_name("_kept.parquet").write_bytes(b"")


BROKEN: dict[str, tuple[Callable[[Path], object], list[str]]] = {
    "no dataset in the folder": (emptied, ["empty dataset", "lake", "name another place"]),
    "not Parquet": (
        lambda path: path.write_text("id,x\n1,2\n"),
        ["not a Parquet file", "a.parquet", "move it out"],
    ),
    "corrupt footer": (cut_footer, ["corrupt Parquet footer", "a.parquet", "write the file again"]),
    "corrupt page": (bad_page, ["corrupt page", "a.parquet, row group 1", "write the file again"]),
    "wrong type": (of_text, ["'x'", "string", "FP32", "parse"]),
    "missing column": (of_other_columns, ["no column 'x'", "id, z", "--columns x=COLUMN"]),
}


@pytest.mark.parametrize("kind", BROKEN)
def test_datasets_that_cannot_be_scored(workplace: Workplace, score: Score, kind: str) -> None:
    """One line that names the file or column with the remedy; nothing is published."""
    spoil, words = BROKEN[kind]
    values = [1.0 + k / 7 for k in range(100)]
    spoil(numbers(workplace.folder / "lake/a.parquet", list(values)))
    fails_in_one_line(workplace, score(), words)


def test_files_that_disagree(workplace: Workplace, score: Score) -> None:
    """Both are named, with the column and its types."""
    numbers(workplace.folder / "lake/a.parquet", [1.0])
    of_text(workplace.folder / "lake/b.parquet")
    words = ["schema drift", "'x'", "float in a.parquet", "string in b.parquet", "score them apart"]
    fails_in_one_line(workplace, score(), words)


@pytest.mark.parametrize(
    ("more", "words"),
    [
        (["--input", "nowhere"], ["no such input", "nowhere", "check the path"]),
        (["--input", "gs://x/y"], ["gs://x/y", "s3://bucket/prefix"]),
        (["--model", "flight@champion"], ["unknown model 'flight'", "nightshift models register"]),
        (["--model", "doubling@best"], ["'best'", "champion", "nightshift models alias"]),
        (["--model", "doubling"], ["NAME@ALIAS"]),
        (["--columns", "z=x"], ["input 'z'", "it has x"]),
        (["--keep", "idd"], ["no column 'idd'", "close to it: id"]),
    ],
)
def test_jobs_that_cannot_be_done(
    workplace: Workplace, score: Score, more: list[str], words: list[str]
) -> None:
    """One line that names what was asked for with the remedy; nothing is published."""
    workplace.numbers(files=1)
    fails_in_one_line(workplace, score(*more), words)


@pytest.mark.parametrize(
    ("more", "words"),
    [
        (["--input", "nowhere"], "no such input"),
        (["--input", "empty"], "empty dataset"),
        (["--columns", "x=y"], "no column 'y'"),
        (["--input", "half"], "corrupt Parquet footer"),
        (["--input", "mixed"], "schema drift"),
        (["--output", "gs://x/y"], "s3://bucket/prefix"),
        (["--output", "file"], "output not writable"),
        (["--output", "mine"], "output occupied"),
        (["--model", "flight@champion"], "unknown model 'flight'"),
        ([], "no Triton in"),
    ],
)
def test_mistakes_are_told_before_a_server_is_started(
    workplace: Workplace, score: Score, monkeypatch: pytest.MonkeyPatch, more: list[str], words: str
) -> None:
    """On a machine without any server, only a job that could be done needs one."""
    workplace.numbers(files=1)
    (workplace.folder / "empty").mkdir()
    monkeypatch.delenv("NIGHTSHIFT_TRITON_URLS")
    monkeypatch.setenv("NIGHTSHIFT_TRITON_ENV", str(workplace.folder / "nothing"))
    monkeypatch.setenv("NIGHTSHIFT_MODEL_REPOSITORY", str(MODELS))
    (workplace.folder / "file").write_text("in the way")
    numbers(workplace.folder / "mine/table.parquet", [1.0])
    numbers(workplace.folder / "half/a.parquet", [1.0])
    cut_footer(numbers(workplace.folder / "half/b.parquet", [1.0]))
    numbers(workplace.folder / "mixed/a.parquet", [1.0])
    of_text(workplace.folder / "mixed/b.parquet")
    fails_in_one_line(workplace, score(*more), [words])
    assert workplace.keys() == set(), "the output is free for another job"


def test_a_model_whose_file_is_gone(
    workplace: Workplace, score: Score, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A server that is started here would not find it: that is told instead of Triton's words."""
    workplace.numbers(files=1)
    monkeypatch.delenv("NIGHTSHIFT_TRITON_URLS")
    fails_in_one_line(
        workplace,
        score(),
        ["doubling@1", ".nightshift/models/faulty/1", "nightshift models register doubling"],
    )
    assert workplace.keys() == set()


def test_a_published_job_needs_no_server(
    workplace: Workplace, score: Score, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Run again, it is verified and told, the page that a killed run left out included."""
    workplace.numbers(files=1)
    assert score().exit_code == 0
    before = workplace.keys()
    (workplace.folder / "scores/_report.html").unlink()
    monkeypatch.delenv("NIGHTSHIFT_TRITON_URLS")
    monkeypatch.setenv("NIGHTSHIFT_TRITON_ENV", str(workplace.folder / "nothing"))
    again = score()
    assert (again.exit_code, again.stderr) == (0, "")
    assert again.stdout.startswith("\ndoubling@1 scored 100 of 100 rows\n")
    assert workplace.keys() == before


def test_no_server(workplace: Workplace, score: Score) -> None:
    """The address is named."""
    workplace.numbers(files=1)
    workplace.serve("127.0.0.1:9")
    fails_in_one_line(workplace, score(), ["127.0.0.1:9", "no server"])


def test_a_signature_that_the_server_does_not_have(workplace: Workplace, score: Score) -> None:
    """Both are told."""
    rows = pa.array([[0.0] * 64], pa.list_(pa.float32(), 64))
    write(workplace.folder / "lake/a.parquet", {"features": rows})
    linear = workplace.register("linear", name="like")
    store = open_store(RegistrySettings())
    try:
        Catalog(store).register(
            "odd",
            signature=linear.signature,
            digest=f"sha256:{0:064}",
            served_name="faulty",
            served_version="1",
        )
    finally:
        store.close()
    words = ["odd@1", "features FP32[-1, 64]", "x FP32[-1, 1]", "serve the registered file"]
    fails_in_one_line(workplace, score("--model", "odd@1"), words)


def test_an_output_that_cannot_be_written(workplace: Workplace, score: Score) -> None:
    """A file in the place of the folder stops even root."""
    workplace.numbers(files=1)
    (workplace.folder / "scores").write_text("in the way")
    fails_in_one_line(
        workplace,
        score(),
        ["output not writable", "scores is a file, not a folder", "another output"],
    )


def test_an_output_that_is_taken(workplace: Workplace, score: Score) -> None:
    """By another job, which is told apart, or by files of others."""
    workplace.numbers(files=1)
    assert score().exit_code == 0
    before = workplace.keys()
    result = score("--rename", "y=score")
    fails_in_one_line(workplace, result, ["output occupied", "output y", "--replace"], left=before)
    numbers(workplace.folder / "mine/table.parquet", [1.0])
    result = score("--output", "mine")
    fails_in_one_line(workplace, result, ["mine", "table.parquet", "another output"], left=before)


def test_rows_that_may_not_be_quarantined(workplace: Workplace, score: Score) -> None:
    """The reasons are counted, with the option that allows them."""
    numbers(workplace.folder / "lake/a.parquet", [None, None, 1.0])
    words = ["2 rows cannot be scored", "2 × null in x", "--max-quarantined"]
    fails_in_one_line(workplace, score(), words)


def fails_in_one_line(
    workplace: Workplace, result: Result, words: list[str], *, left: set[str] | None = None
) -> None:
    """Check how a command that failed ended."""
    assert result.exit_code == 1, result.stdout
    assert result.stderr.startswith("error: ")
    assert result.stderr.count("\n") == 1, result.stderr
    assert [word for word in words if word not in result.stderr] == [], result.stderr
    assert "Traceback" not in result.stdout
    assert workplace.is_published() == bool(left)
    if left is not None:
        assert workplace.keys() == left


@contextmanager
def command_process(
    workplace: Workplace, *words: str, **variables: str
) -> Iterator["subprocess.Popen[str]"]:
    """Run a command as from a terminal of its own, which is closed at the end."""
    environment = {name: value for name, value in os.environ.items() if "PREFECT_" not in name}
    process = subprocess.Popen(
        [sys.executable, "-m", "cli.main", *words],
        env=environment | variables | {"PYTHONPATH": str(ROOT)},
        cwd=workplace.folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def processes_of(folder: Path) -> list[int]:
    """Processes that were started with something in `folder`."""
    found = []
    for each in Path("/proc").glob("[0-9]*"):
        try:
            words = (each / "cmdline").read_bytes() + (each / "environ").read_bytes()
        except OSError:
            continue
        if str(folder).encode() in words and int(each.name) != os.getpid():
            found.append(int(each.name))
    return [pid for pid in found if runs(pid)]


def test_a_failing_process_says_one_line(workplace: Workplace, prefect_api: LocalPrefect) -> None:
    """Nothing of Prefect's own gets between: a real process, its whole output."""
    numbers(workplace.folder / "lake/a.parquet", [None])
    words = ("--model", "doubling@1", "--input", "lake", "--output", "scores")
    with command_process(workplace, "score", *words, **prefect_api.client_environment()) as process:
        out, error = process.communicate(timeout=120)
    assert process.returncode == 1
    assert error == (
        "error: at least 1 row cannot be scored (1 × null in x), while the job allows none: "
        "mend the rows, or allow more with --max-quarantined 5% (or a number of rows)\n"
    )
    assert out.splitlines()[0] == "resolving the model"
    assert "Error" not in out
    assert not workplace.is_published()


def bare_process(
    workplace: Workplace, triton_env: Path, monkeypatch: pytest.MonkeyPatch
) -> AbstractContextManager["subprocess.Popen[str]"]:
    """Score `lake` with servers of the command's own."""
    if PREFECT_TEMPLATE.exists():
        (workplace.folder / ".nightshift/prefect").mkdir(parents=True)
        (workplace.folder / ".nightshift/prefect/template").symlink_to(PREFECT_TEMPLATE)
    words = ("--model", "doubling@1", "--input", "lake", "--output", "scores")
    monkeypatch.delenv("NIGHTSHIFT_TRITON_URLS")
    places = {
        "NIGHTSHIFT_TRITON_ENV": str(triton_env.absolute()),
        "NIGHTSHIFT_MODEL_REPOSITORY": str(MODELS),
    }
    return command_process(workplace, "score", *words, **places)


@pytest.mark.slow
def test_ctrl_c_at_the_end(
    workplace: Workplace, triton_env: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first leaves time to publish and to tell, the second ends the wait for the servers."""
    expected = workplace.numbers(files=1)
    with bare_process(workplace, triton_env, monkeypatch) as process:
        assert process.stdout is not None
        out = ""
        for sign in ("publishing", "  report "):
            while not out.splitlines()[-1:] or not out.splitlines()[-1].startswith(sign):
                line = process.stdout.readline()
                assert line, out
                out += line
            os.killpg(process.pid, signal.SIGINT)
        rest, error = process.communicate(timeout=120)
    assert (process.returncode, rest) == (0, "")
    assert error == "finishing; Ctrl-C again stops at once\n"
    assert "doubling@1 scored 100 of 100 rows" in out
    assert eventually(lambda: processes_of(workplace.folder) == [], within_s=60)
    assert workplace.is_published()
    assert workplace.scores() == expected


class Meanwhile(io.StringIO):
    """A terminal at which something happens as soon as it is read that servers are started."""

    def __init__(self, happens: Callable[[], object]) -> None:
        super().__init__()
        self._happens = happens

    def write(self, text: str) -> int:
        written = super().write(text)
        if "starting Triton" in text:
            self._happens()
        return written


def test_what_changes_while_servers_start(
    workplace: Workplace,
    prefect_api: LocalPrefect,
    triton_env: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The version that was planned scores the rows that are there; nothing is in the job's way."""
    monkeypatch.setenv("PREFECT_API_URL", prefect_api.api_url)
    monkeypatch.setenv("NIGHTSHIFT_TRITON_ENV", str(triton_env.absolute()))
    monkeypatch.setenv("NIGHTSHIFT_MODEL_REPOSITORY", str(MODELS))
    workplace.numbers(files=1)
    assert workplace.register(x=("id",)).version == 2
    champion(1)
    monkeypatch.delenv("NIGHTSHIFT_TRITON_URLS")
    expected: dict[int, float] = {}

    def happens() -> None:
        champion(2)
        expected.update(workplace.numbers(files=2))

    monkeypatch.setattr(sys, "stdout", Meanwhile(happens))
    report = score_with_servers(workplace.job(), LocalSettings())
    assert (report.model, report.rows_ok) == ("doubling@1", 200)
    assert workplace.scores() == expected


def champion(version: int) -> None:
    """Move the alias."""
    store = open_store(RegistrySettings())
    Catalog(store).set_alias("doubling", "champion", version, by="ada")
    store.close()


class Pressing(io.StringIO):
    """A terminal at which Ctrl-C is pressed twice as soon as the report's address is read."""

    def write(self, text: str) -> int:
        written = super().write(text)
        if "_report.html" in text:
            signal.raise_signal(signal.SIGINT)
            signal.raise_signal(signal.SIGINT)
        return written


def test_ctrl_c_while_the_report_is_told(
    workplace: Workplace, prefect_api: LocalPrefect, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The job has ended well, and the command says so."""
    monkeypatch.setenv("PREFECT_API_URL", prefect_api.api_url)
    workplace.numbers(files=1)
    monkeypatch.setattr(sys, "stdout", Pressing())
    report = score_with_servers(workplace.job(model="doubling@1"), LocalSettings())
    assert (report.rows_ok, workplace.is_published()) == (100, True)


@pytest.mark.slow
def test_ctrl_c_in_the_middle(
    workplace: Workplace, triton_env: Path, triton: LocalTriton, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Exit code 130 and one line; the servers that it started are gone; the job continues later."""
    workplace.configure(progress_interval_s=0.02)
    with held() as last:
        expected = workplace.numbers(files=8, last=last)
        with bare_process(workplace, triton_env, monkeypatch) as process:
            begun = workplace.folder / "scores"
            assert eventually(
                lambda: any(begun.glob("part-*")) or process.poll() is not None, within_s=200
            )
            assert len(processes_of(workplace.folder)) > 2, "the servers run"
            os.killpg(process.pid, signal.SIGINT)
            out, error = process.communicate(timeout=120)
    assert (process.returncode, error) == (130, f"stopping…\n{INTERRUPTED}"), out
    assert "Traceback" not in out
    counts = [int(found.replace(",", "")) for found in re.findall(r"([\d,]+) of 800 rows", out)]
    assert counts == sorted(counts)
    assert eventually(lambda: processes_of(workplace.folder) == [], within_s=60)
    assert not workplace.is_published()
    keys = workplace.keys()
    done = len([key for key in keys if key.startswith("part-")])
    assert done > 0
    workplace.serve(triton.grpc_url)
    report = run_here(workplace.job(model="doubling@1"))
    assert report.shards_adopted == done
    assert workplace.scores() == expected
