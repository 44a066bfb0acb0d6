"""Model repositories laid out from ONNX files, as the real Triton serves them."""

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tritonclient.grpc as triton_grpc
from onnx import TensorProto, helper, load_model, save_model
from tritonclient.utils import InferenceServerException

from cli.stack.repository import (
    ModelNotServable,
    Serving,
    VersionOccupied,
    describe,
    lay_out,
    model_config,
)
from registry.domain import InvalidName
from tests.cli.stack import onnx_files
from tests.conftest import TritonFactory

pytestmark = pytest.mark.triton


def _files(folder: Path) -> dict[str, int]:
    return {
        str(path.relative_to(folder)): path.stat().st_mtime_ns
        for path in folder.rglob("*")
        if path.is_file()
    }


def test_lays_out_a_version(tmp_path: Path, triton_env: Path) -> None:
    """A version holds the ONNX file with the program that serves it, and nothing is left over."""
    onnx = onnx_files.linear(tmp_path / "sum.onnx")
    folder = lay_out(tmp_path / "models", "sum", onnx, version=1, env_dir=triton_env)
    assert folder == tmp_path / "models" / "sum"
    assert set(_files(folder)) == {"config.pbtxt", "1/model.onnx", "1/model.py"}
    assert (folder / "1" / "model.onnx").read_bytes() == onnx.read_bytes()
    assert [path.name for path in folder.iterdir() if path.name.startswith(".")] == []


def test_describes_the_signature_for_triton() -> None:
    """Every dimension but the rows is in the configuration; one value a row is reshaped."""
    description = {
        "inputs": [{"name": "x", "type": "tensor(float)", "shape": [-1, 3, -1]}],
        "outputs": [{"name": "label", "type": "tensor(string)", "shape": [-1]}],
    }
    serving = Serving(max_batch_size=100, instances=2, max_queue_size=7)
    assert model_config("m", description, serving) == (
        'name: "m"\n'
        'backend: "python"\n'
        "max_batch_size: 100\n"
        'input [ { name: "x" data_type: TYPE_FP32 dims: [ 3, -1 ] } ]\n'
        'output [ { name: "label" data_type: TYPE_STRING dims: [ 1 ] reshape { shape: [ ] } } ]\n'
        "instance_group [ { kind: KIND_CPU count: 2 } ]\n"
        "dynamic_batching { default_queue_policy { max_queue_size: 7 } }\n"
        "version_policy { all { } }\n"
    )


def test_the_queue_is_left_to_triton() -> None:
    """Without a bound that was asked for, no policy: it would have the scheduler sleep."""
    lines = model_config("m", {"inputs": [], "outputs": []}, Serving()).splitlines()
    assert [line for line in lines if "batching" in line] == ["dynamic_batching { }"]


@pytest.mark.parametrize(
    ("onnx_type", "shape", "words"),
    [
        (
            "seq(map(int64,tensor(float)))",
            [],
            "output 'p' of m is seq(map(int64,tensor(float))), which Triton cannot carry: "
            "export it without ZipMap (skl2onnx: options={'zipmap': False})",
        ),
        ("tensor(bfloat16)", [-1], "output 'p' of m is tensor(bfloat16), which Triton cannot"),
        (
            "tensor(float)",
            [1, 4],
            "the first dimension of output 'p' of m is not the rows (shape [1, 4]): "
            "export it with a dynamic first dimension",
        ),
        ("tensor(float)", [], "the first dimension of output 'p' of m is not the rows (shape [])"),
    ],
)
def test_refuses_what_cannot_be_served(onnx_type: str, shape: list[int], words: str) -> None:
    """What Triton cannot carry row by row is one line with the remedy."""
    description = {"inputs": [], "outputs": [{"name": "p", "type": onnx_type, "shape": shape}]}
    with pytest.raises(ModelNotServable) as caught:
        model_config("m", description, Serving())
    assert str(caught.value).startswith(words)


def test_is_safe_to_repeat(tmp_path: Path, triton_env: Path) -> None:
    """The same file as the same version changes nothing."""
    onnx = onnx_files.linear(tmp_path / "sum.onnx")
    folder = lay_out(tmp_path, "sum", onnx, version=1, env_dir=triton_env)
    before = _files(folder)
    lay_out(tmp_path, "sum", onnx, version=1, env_dir=triton_env)
    assert _files(folder) == before


def test_versions_do_not_change(tmp_path: Path, triton_env: Path) -> None:
    """Another file as the same version is refused, and the first one stays."""
    first = onnx_files.linear(tmp_path / "first.onnx")
    second = onnx_files.linear(tmp_path / "second.onnx", factor=2)
    folder = lay_out(tmp_path, "sum", first, version=1, env_dir=triton_env)
    with pytest.raises(VersionOccupied, match="versions do not change, take the next number"):
        lay_out(tmp_path, "sum", second, version=1, env_dir=triton_env)
    assert (folder / "1" / "model.onnx").read_bytes() == first.read_bytes()


def test_versions_share_a_signature(tmp_path: Path, triton_env: Path) -> None:
    """Another signature under the same name is refused before anything is written."""
    first = onnx_files.linear(tmp_path / "first.onnx")
    second = onnx_files.linear(tmp_path / "second.onnx", width=9)
    folder = lay_out(tmp_path, "sum", first, version=1, env_dir=triton_env)
    with pytest.raises(VersionOccupied, match="serve it under another name"):
        lay_out(tmp_path, "sum", second, version=2, env_dir=triton_env)
    assert not (folder / "2").exists()


def test_how_a_model_is_served_may_change(tmp_path: Path, triton_env: Path) -> None:
    """The configuration is written anew; the version stays as it is."""
    onnx = onnx_files.linear(tmp_path / "sum.onnx")
    folder = lay_out(tmp_path, "sum", onnx, version=1, env_dir=triton_env)
    before = _files(folder)
    serving = Serving(instances=2)
    lay_out(tmp_path, "sum", onnx, version=1, env_dir=triton_env, serving=serving)
    assert "count: 2" in (folder / "config.pbtxt").read_text()
    after = _files(folder)
    assert after | {"config.pbtxt": 0} == before | {"config.pbtxt": 0}


@pytest.mark.parametrize("content", [b"no protobuf at all", b"", b"half"])
def test_names_a_file_that_is_not_onnx(tmp_path: Path, triton_env: Path, content: bytes) -> None:
    """Something else, nothing, or half of a model: said in plain words."""
    broken = onnx_files.linear(tmp_path / "broken.onnx")
    broken.write_bytes(broken.read_bytes()[:-20] if content == b"half" else content)
    with pytest.raises(ModelNotServable) as caught:
        describe(broken, triton_env)
    assert str(caught.value) == (
        f"{broken} is not a whole ONNX file: check the path, or export the model again"
    )


def test_refuses_weights_in_another_file(tmp_path: Path, triton_env: Path) -> None:
    """Which lies beside the file now, and would not where it is served."""
    onnx = onnx_files.linear(tmp_path / "large.onnx")
    options: dict[str, Any] = {
        "location": "large.data",
        "size_threshold": 0,
        "convert_attribute": True,
    }
    save_model(load_model(onnx), onnx, save_as_external_data=True, **options)
    assert (tmp_path / "large.data").exists()
    with pytest.raises(ModelNotServable, match="keeps its weights in another file: save it as one"):
        lay_out(tmp_path / "models", "large", onnx, version=1, env_dir=triton_env)
    assert not (tmp_path / "models").exists()


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"ir_version": 99}, r"Unsupported model IR version: 99, max supported IR version: \d+"),
        ({"opset": 99}, r"ONNX Runtime only \*guarantees\* support for models .* opset \d+"),
        ({"operator": "Nope"}, r"This is an invalid model\. .* No Op registered for Nope with .*"),
    ],
)
def test_says_what_onnxruntime_lacks(
    tmp_path: Path, triton_env: Path, change: dict[str, Any], words: str
) -> None:
    """In its own words, without the places in its source, with the remedy."""
    newer = onnx_files.linear(tmp_path / "newer.onnx")
    model = load_model(newer)
    model.ir_version = change.get("ir_version", model.ir_version)
    model.opset_import[0].version = change.get("opset", model.opset_import[0].version)
    model.graph.node[0].op_type = change.get("operator", model.graph.node[0].op_type)
    save_model(model, newer)
    with pytest.raises(ModelNotServable) as caught:
        describe(newer, triton_env)
    remedy = "export the model again, with standard operators and an opset that it knows"
    told = rf"onnxruntime cannot load {newer}: {words}: {remedy}"
    assert re.fullmatch(told, str(caught.value))


def test_names_a_file_that_is_not_there(tmp_path: Path, triton_env: Path) -> None:
    """A missing file is not onnxruntime's problem."""
    with pytest.raises(ModelNotServable, match=r"no ONNX file .*absent.onnx: check the path"):
        describe(tmp_path / "absent.onnx", triton_env)


def test_refuses_a_model_name_that_no_url_can_carry(tmp_path: Path, triton_env: Path) -> None:
    """Names are the registry's."""
    with pytest.raises(InvalidName):
        lay_out(tmp_path, "a/b", tmp_path / "x.onnx", version=1, env_dir=triton_env)


def _infer(url: str, model: str, version: str, **arrays: np.ndarray[Any, Any]) -> dict[str, Any]:
    datatypes = {"f": "FP32", "i": "INT64", "O": "BYTES", "b": "BOOL"}
    inputs = []
    for name, array in arrays.items():
        inputs.append(
            triton_grpc.InferInput(name, array.shape, datatypes.get(array.dtype.kind, "FP32"))
        )
        inputs[-1].set_data_from_numpy(array)
    client = triton_grpc.InferenceServerClient(url.removeprefix("grpc://"))
    try:
        answer = client.infer(model, inputs, model_version=version, client_timeout=30)
        names = [output.name for output in answer.get_response().outputs]
        return {name: answer.as_numpy(name) for name in names}
    finally:
        client.close()


@pytest.fixture
def repository(tmp_path: Path, triton_env: Path) -> Path:
    """Two versions of a sum, a model of text beside numbers, one that fails on some rows."""
    folder = tmp_path / "models"
    for version, factor in ((1, 1.0), (4, 10.0)):
        onnx = onnx_files.linear(tmp_path / f"{version}.onnx", factor=factor)
        lay_out(folder, "sum", onnx, version=version, env_dir=triton_env)
    text = onnx_files.echo(
        tmp_path / "echo.onnx",
        text=(TensorProto.STRING, ["n", 2]),
        one=(TensorProto.INT64, ["n"]),
        flag=(TensorProto.BOOL, ["n", 1, 2]),
    )
    lay_out(folder, "echo", text, version=1, env_dir=triton_env)
    table = onnx_files.save(
        tmp_path / "table.onnx",
        nodes=[helper.make_node("Gather", ["table", "row"], ["value"])],
        inputs=[onnx_files.tensor("row", TensorProto.INT64, ["n", 1])],
        outputs=[onnx_files.tensor("value", TensorProto.FLOAT, ["n", 1])],
        constants=[helper.make_tensor("table", TensorProto.FLOAT, [3], [5.0, 6.0, 7.0])],
    )
    lay_out(folder, "table", table, version=1, env_dir=triton_env)
    return folder


def test_is_served_by_triton(repository: Path, triton_factory: TritonFactory) -> None:
    """Versions are pinned, text and one value a row pass, and a bad request is told so."""
    server = triton_factory(repository, models=["sum", "echo", "table"])
    x = np.arange(12, dtype=np.float32).reshape(3, 4)
    for version, factor in (("1", 1), ("4", 10)):
        answer = _infer(server.grpc_url, "sum", version, x=x)
        np.testing.assert_array_equal(answer["y"], x.sum(axis=1, keepdims=True) * factor)

    text = np.array([[b"a", "ü€".encode()], [b"", b"x" * 5000]], dtype=object)
    one = np.array([[1], [2]])
    flag = np.array([[[True, False]], [[False, True]]])
    answer = _infer(server.grpc_url, "echo", "1", text=text, one=one, flag=flag)
    np.testing.assert_array_equal(answer["text_out"], text)
    np.testing.assert_array_equal(answer["one_out"], one)
    np.testing.assert_array_equal(answer["flag_out"], flag)

    text[0, 0] = b"\xff"
    with pytest.raises(InferenceServerException, match="can't decode byte 0xff") as refused:
        _infer(server.grpc_url, "echo", "1", text=text, one=one, flag=flag)
    assert refused.value.status() == "StatusCode.INVALID_ARGUMENT"

    with pytest.raises(InferenceServerException, match="idx=9 must be within"):
        _infer(server.grpc_url, "table", "1", row=np.array([[0], [9]]))
    answer = _infer(server.grpc_url, "table", "1", row=np.array([[0], [2]]))
    np.testing.assert_array_equal(answer["value"], np.array([[5], [7]], dtype=np.float32))
