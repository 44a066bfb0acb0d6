"""Check `nightshift models` from the words typed to what is registered."""

import json
from pathlib import Path

import pytest
import typer

from cli.catalog import opened_catalog
from cli.models import parse_columns
from cli.stack.triton import LocalTriton
from registry.digest import file_digest
from tests.cli.conftest import Command
from tests.cli.stack.onnx_files import linear

WIDTH = 3


@pytest.fixture
def onnx(tmp_path: Path) -> Path:
    return linear(tmp_path / "model.onnx", width=WIDTH)


def test_no_models_yet(command: Command) -> None:
    """An empty registry says what to do; as JSON it is an empty array."""
    (line,) = command("models", "list").stdout.splitlines()
    assert line == (
        f"no models yet in {Path.cwd()}/.nightshift/registry.db: "
        "`nightshift models register NAME --onnx FILE` adds one"
    )
    assert json.loads(command("models", "list", "--json").stdout) == []


def test_unknown_models_are_one_line(command: Command) -> None:
    """Names that are not registered end with exit code 1 and the command that helps."""
    with opened_catalog():
        pass
    result = command("models", "show", "flights")
    assert result.exit_code == 1
    assert result.stderr == (
        "error: unknown model 'flights'; there is none yet; "
        "register it with `nightshift models register flights --onnx FILE` "
        f"(looked in {Path.cwd()}/.nightshift/registry.db)\n"
    )


@pytest.mark.parametrize(
    "line",
    [
        "models list",
        "models show flights",
        "models alias flights@1 champion",
        "servers",
        "score --model flights@1 --input lake --output scores",
    ],
)
def test_reading_makes_no_registry(
    command: Command, line: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where there is none, it is said where one was looked for; no folder is made either."""
    for url in ("", f"sqlite:///{Path.cwd()}/nowhere/x.db"):
        if url:
            monkeypatch.setenv("NIGHTSHIFT_DATABASE_URL", url)
        result = command(*line.split())
        place = f"{Path.cwd()}/nowhere/x.db" if url else f"{Path.cwd()}/.nightshift/registry.db"
        told = f"no models yet in {place}: " if line == "models list" else f"no registry at {place}"
        assert told in result.output
        assert not list(Path.cwd().iterdir())


@pytest.mark.parametrize(
    "words",
    [
        (),
        ("--onnx", "a.onnx", "--served-name", "a"),
        ("--served-name", "a", "--served-version", "0"),
        ("--served-name", "a", "--columns", "features"),
    ],
)
def test_what_to_register_must_be_clear(command: Command, words: tuple[str, ...]) -> None:
    """Neither or both sources, or columns that cannot be read, are usage errors."""
    assert command("models", "register", "flights", *words).exit_code == 2


def test_a_missing_file_is_one_line(command: Command) -> None:
    """The path is named; nothing is started or registered."""
    result = command("models", "register", "flights", "--onnx", "gone.onnx")
    assert (result.exit_code, result.stderr) == (
        1,
        "error: no ONNX file gone.onnx: check the path\n",
    )


def test_a_file_of_something_else_is_one_line(
    command: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Said without asking a server: the one that is configured does not exist."""
    monkeypatch.setenv("NIGHTSHIFT_TRITON_URLS", "127.0.0.1:9")
    (tmp_path / "notes.onnx").write_text("weights to follow")
    result = command("models", "register", "flights", "--onnx", "notes.onnx")
    assert (result.exit_code, result.stderr) == (
        1,
        "error: notes.onnx is not a whole ONNX file: check the path, or export the model again\n",
    )
    assert json.loads(command("models", "list", "--json").stdout) == []


def test_a_bad_alias_is_refused_before_the_work(command: Command) -> None:
    """An alias that cannot be set does not leave a version behind."""
    result = command("models", "register", "flights", "--onnx", "gone.onnx", "--alias", "7")
    assert result.exit_code == 1
    assert "alias name '7' is not allowed" in result.stderr


def test_columns_are_read_in_order() -> None:
    """`INPUT=COLUMN,…` once for each input, spaces allowed."""
    assert parse_columns(["a=x, y", "b=z"]) == {"a": ("x", "y"), "b": ("z",)}


@pytest.mark.parametrize("options", [["a"], ["=x"], ["a="], ["a=x,,y"], ["a=x", "a=y"]])
def test_columns_that_cannot_be_read_are_usage_errors(options: list[str]) -> None:
    """The option is shown with how to write it."""
    with pytest.raises(typer.BadParameter, match="--columns"):
        parse_columns(options)


@pytest.mark.triton
def test_a_file_is_registered_with_what_a_real_triton_says(
    command: Command, onnx: Path, tmp_path: Path
) -> None:
    """The whole of a model's life: register, again, alias, list, show."""
    words = ("models", "register", "sums", "--onnx", str(onnx))
    first = command(*words, "--columns", "x=a,b,c", "--alias", "champion", "--why", "new")
    assert first.exit_code == 0, first.stderr
    assert first.stdout.startswith("sums@1 is registered, sums@champion points to it\n")

    version = json.loads(command(*words, "--columns", "x=a,b,c", "--json").stdout)
    digest = file_digest(onnx)
    served = f"sums.{digest.removeprefix('sha256:')[:12]}"
    stored = tmp_path / ".nightshift" / "models" / served / "1" / "model.onnx"
    assert stored.read_bytes() == onnx.read_bytes()
    assert version.pop("created_at").endswith("+00:00")
    signature = version.pop("signature")
    assert version == {
        "name": "sums",
        "version": 1,
        "digest": digest,
        "served_name": served,
        "served_version": "1",
        "columns": {"x": ["a", "b", "c"]},
        "artifact": stored.resolve().as_uri(),
        "description": "",
        "created_by": "ada",
        "tags": {},
    }
    taken = {"name": "x", "datatype": "FP32", "shape": [-1, WIDTH]}
    assert signature["inputs"] == [taken]
    assert [output["shape"] for output in signature["outputs"]] == [[-1, 1]]

    moved = command("models", "alias", "sums@champion", "stable", "--why", "held a week")
    assert moved.stdout == "sums@stable is now version 1\n"
    (listed,) = json.loads(command("models", "list", "--json").stdout)
    assert (listed["name"], listed["aliases"]) == ("sums", {"champion": 1, "stable": 1})
    assert "champion → 1, stable → 1" in command("models", "list").stdout

    shown = command("models", "show", "sums").stdout
    for part in ("champion, stable", "[-1, 3]", "a, b, c", "held a week", "ada"):
        assert part in shown
    found = json.loads(command("models", "show", "sums", "--json").stdout)
    assert [(move["alias"], move["why"]) for move in found["moves"]] == [
        ("stable", "held a week"),
        ("champion", "new"),
    ]
    assert not list((tmp_path / ".nightshift").rglob("*.onnx.tmp"))


@pytest.mark.triton
def test_a_served_model_is_registered(
    command: Command, triton: LocalTriton, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What running servers serve is read from their metadata, the version named by it."""
    monkeypatch.setenv("NIGHTSHIFT_TRITON_URLS", triton.grpc_url)
    words = ("models", "register", "lines", "--served-name", "linear", "--served-version", "1")
    result = command(*words, "--description", "as served", "--json")
    assert result.exit_code == 0, result.stderr
    version = json.loads(result.stdout)
    assert (version["served_name"], version["served_version"]) == ("linear", "1")
    assert version["digest"].startswith("metadata-sha256:")
    assert version["artifact"] is None
    assert json.loads(command(*words, "--json").stdout) == version
    shown = command("models", "show", "lines").stdout
    assert "metadata " in shown
    assert "as served" in shown


@pytest.mark.triton
def test_a_model_that_is_not_served_is_one_line(
    command: Command, triton: LocalTriton, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The model and the server are named, and nothing is registered."""
    monkeypatch.setenv("NIGHTSHIFT_TRITON_URLS", triton.grpc_url)
    result = command("models", "register", "lines", "--served-name", "nothing")
    assert result.exit_code == 1
    assert result.stderr.startswith("error: ")
    assert "nothing" in result.stderr
    assert result.stderr.count("\n") == 1
    assert json.loads(command("models", "list", "--json").stdout) == []
