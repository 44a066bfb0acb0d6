"""Check how a model file gets its place on the servers."""

from pathlib import Path

import pytest

from cli.registration import (
    Notes,
    kept_if_registered,
    lay_out_file,
    register_file,
    register_served,
    served_name,
)
from cli.settings import LocalSettings
from cli.stack.errors import NotAnswering
from cli.stack.triton import LocalTriton
from inference.errors import InferenceError, SignatureMismatch
from inference.settings import InferenceSettings
from registry.catalog import Catalog
from registry.domain import check_name
from tests.cli.stack.onnx_files import linear
from tests.conftest import TritonFactory
from tests.contracts.memory_store import MemoryStore

NOTES = Notes(columns={}, description="", by="ada")


def test_a_served_name_tells_files_apart_and_is_allowed() -> None:
    """The file's digest is part of the name, which stays within 128 characters."""
    digest = "sha256:" + "0123456789abcdef" * 4
    assert served_name("flights", digest) == "flights.0123456789ab"
    longest = served_name("x" * 128, digest)
    assert check_name(longest, "model").endswith(".0123456789ab")
    assert len(longest) == 128


@pytest.mark.triton
def test_a_file_that_the_servers_cannot_see_is_refused(
    triton: LocalTriton, triton_env: Path, tmp_path: Path
) -> None:
    """Servers with another model repository than ours say so; nothing is registered."""
    catalog = Catalog(MemoryStore())
    local = LocalSettings(data_dir=tmp_path, triton_env=triton_env)
    onnx = linear(tmp_path / "model.onnx")
    file = lay_out_file("sums", onnx, local)
    with pytest.raises(InferenceError, match="sums"), kept_if_registered(file):
        register_file(
            catalog, file, urls=(triton.grpc_url,), notes=NOTES, settings=InferenceSettings()
        )
    assert catalog.models().items == ()
    assert list(local.repository_dir.iterdir()) == [], "the file is taken away again"


@pytest.mark.triton
def test_a_file_that_was_there_before_is_kept(triton_env: Path, tmp_path: Path) -> None:
    """A version that is registered already may serve it."""
    local = LocalSettings(data_dir=tmp_path, triton_env=triton_env)
    onnx = linear(tmp_path / "model.onnx")
    before = lay_out_file("sums", onnx, local)
    again = lay_out_file("sums", onnx, local)
    with pytest.raises(ValueError, match="mine"), kept_if_registered(again):
        raise ValueError("mine")
    assert before.path.exists()


def test_servers_that_do_not_answer_are_told() -> None:
    """With what else one could do, before anything is asked."""
    with pytest.raises(NotAnswering, match="or register a file with --onnx"):
        register_served(
            Catalog(MemoryStore()),
            "lines",
            model="linear",
            version="1",
            urls=("127.0.0.1:9",),
            notes=NOTES,
            settings=InferenceSettings(),
        )


@pytest.mark.triton
def test_servers_that_disagree_are_refused(
    triton: LocalTriton, triton_factory: TritonFactory, tmp_path: Path
) -> None:
    """One name with two signatures in a pool is found out before it is registered."""
    folder = tmp_path / "models" / "linear"
    (folder / "1").mkdir(parents=True)
    original = Path(__file__).parents[1] / "models" / "linear"
    config = (original / "config.pbtxt").read_text().replace("64", "63")
    (folder / "config.pbtxt").write_text(config)
    (folder / "1" / "model.py").write_bytes((original / "1" / "model.py").read_bytes())
    other = triton_factory(tmp_path / "models", models=["linear"])
    with pytest.raises(SignatureMismatch, match=r"another signature on grpc://.* bring the"):
        register_served(
            Catalog(MemoryStore()),
            "lines",
            model="linear",
            version="1",
            urls=(triton.grpc_url, other.grpc_url),
            notes=NOTES,
            settings=InferenceSettings(),
        )
