"""Lay ONNX files out as a Triton model repository."""

import filecmp
import json
import os
import re
import shutil
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cli.stack.errors import StackError
from registry.domain import check_name

_SERVING = Path(__file__).parents[2] / "infra" / "triton" / "onnx"
_DESCRIBE_TIMEOUT_S = 120.0

_TRITON_TYPES = {
    "tensor(bool)": "TYPE_BOOL",
    "tensor(uint8)": "TYPE_UINT8",
    "tensor(uint16)": "TYPE_UINT16",
    "tensor(uint32)": "TYPE_UINT32",
    "tensor(uint64)": "TYPE_UINT64",
    "tensor(int8)": "TYPE_INT8",
    "tensor(int16)": "TYPE_INT16",
    "tensor(int32)": "TYPE_INT32",
    "tensor(int64)": "TYPE_INT64",
    "tensor(float16)": "TYPE_FP16",
    "tensor(float)": "TYPE_FP32",
    "tensor(double)": "TYPE_FP64",
    "tensor(string)": "TYPE_STRING",
}

_NOT_ONNX = ("INVALID_PROTOBUF", "No graph was found")
"""What onnxruntime says of files that hold something else, or end early, or are empty."""
_WEIGHTS_ELSEWHERE = "external data"
_NOISE = re.compile(r"\[ONNXRuntimeError\] : .* failed:|/onnxruntime_src/.*?\) (?=[A-Z])")
"""Error codes and places in onnxruntime's own source."""


class ModelNotServable(StackError):
    """The ONNX file cannot be served row by row."""


class VersionOccupied(StackError):
    """The repository holds something else under that name and version."""


@dataclass(frozen=True, slots=True)
class Serving:
    """How Triton serves a model."""

    max_batch_size: int = 65_536
    """Most rows that one request may carry: 16 MiB of 64 FP32 a row, a few microbatches' worth."""
    instances: int = 1
    """Copies of the model, each a process; onnxruntime already uses every core with one."""
    max_queue_size: int = 0
    """Requests that may wait before new ones are refused as overload; 0 is no limit. A limit costs
    throughput beside a full queue: docs/adr/0018."""


def lay_out(
    repository: Path,
    model: str,
    onnx: Path,
    *,
    version: int,
    env_dir: Path,
    serving: Serving | None = None,
) -> Path:
    """Put `onnx` into `repository` as `version` of `model`; return the model's folder.

    Whole or not at all, and safe to repeat. All versions of a model share one signature, because
    Triton keeps one configuration for them; how it serves them may change, from the next load on.
    Raises `ModelNotServable` or `VersionOccupied`.
    """
    check_name(model, "model")
    config = model_config(model, describe(onnx, env_dir), serving or Serving())
    folder = repository / model
    folder.mkdir(parents=True, exist_ok=True)
    target = folder / str(version)
    if target.exists() and not filecmp.cmp(target / "model.onnx", onnx, shallow=False):
        raise VersionOccupied(
            f"version {version} of {model} in {repository} is another file than {onnx}: "
            f"versions do not change, take the next number"
        )
    _write_config(folder / "config.pbtxt", config, model=model, onnx=onnx)
    if not target.exists():
        _write_version(target, onnx)
    return folder


def describe(onnx: Path, env_dir: Path) -> dict[str, Any]:
    """Return the file's inputs and outputs as the onnxruntime that will serve it reads them."""
    if not onnx.is_file():
        raise ModelNotServable(f"no ONNX file {onnx}: check the path")
    with tempfile.TemporaryDirectory() as alone:
        # Alone, as it will be served: what it needs beside itself is missed here.
        shutil.copyfile(onnx, copy := Path(alone) / onnx.name)
        run = subprocess.run(
            [env_dir.absolute() / "bin" / "python", _SERVING / "describe.py", copy],
            capture_output=True,
            text=True,
            timeout=_DESCRIBE_TIMEOUT_S,
            check=False,
        )
    if run.returncode != 0:
        words = (run.stderr.strip().splitlines() or [f"exit status {run.returncode}"])[-1]
        raise ModelNotServable(_refusal(onnx, words))
    description: dict[str, Any] = json.loads(run.stdout)
    return description


def _refusal(onnx: Path, words: str) -> str:
    """Say in plain words why onnxruntime does not load a file."""
    if any(sign in words for sign in _NOT_ONNX):
        return f"{onnx} is not a whole ONNX file: check the path, or export the model again"
    if _WEIGHTS_ELSEWHERE in words.lower():
        return (
            f"{onnx} keeps its weights in another file: save it as one file of at most 2 GB, "
            "with onnx.save(onnx.load(path), path), or torch.onnx.export(…, external_data=False)"
        )
    told = _NOISE.sub("", words).strip().rstrip(".")
    return (
        f"onnxruntime cannot load {onnx}: {told}: export the model again, with standard operators "
        "and an opset that it knows"
    )


def model_config(model: str, description: dict[str, Any], serving: Serving) -> str:
    """Return Triton's config.pbtxt for what `describe` found; raises `ModelNotServable`."""
    # Neither levels of priority nor, unless asked for, a bound: with either this Triton's scheduler
    # sleeps for up to half a second beside a full queue. docs/adr/0018 has the figures.
    most = serving.max_queue_size
    policy = f"default_queue_policy {{ max_queue_size: {most} }} " if most else ""
    sections = [
        f'name: "{model}"',
        'backend: "python"',
        f"max_batch_size: {serving.max_batch_size}",
        *(_tensor("input", model, tensor) for tensor in description["inputs"]),
        *(_tensor("output", model, tensor) for tensor in description["outputs"]),
        f"instance_group [ {{ kind: KIND_CPU count: {serving.instances} }} ]",
        f"dynamic_batching {{ {policy}}}",
        "version_policy { all { } }",
    ]
    return "\n".join(sections) + "\n"


def _tensor(kind: str, model: str, tensor: dict[str, Any]) -> str:
    """Return one input or output section; the first dimension is the rows."""
    name, onnx_type, shape = tensor["name"], tensor["type"], tensor["shape"]
    if onnx_type not in _TRITON_TYPES:
        remedy = (
            "export it without ZipMap (skl2onnx: options={'zipmap': False})"
            if onnx_type.startswith(("seq", "map"))
            else f"use one of {', '.join(sorted(_TRITON_TYPES))}"
        )
        raise ModelNotServable(
            f"{kind} {name!r} of {model} is {onnx_type}, which Triton cannot carry: {remedy}"
        )
    if not shape or shape[0] != -1:
        raise ModelNotServable(
            f"the first dimension of {kind} {name!r} of {model} is not the rows (shape {shape}): "
            f"export it with a dynamic first dimension"
        )
    dims = ", ".join(str(size) for size in shape[1:]) or "1"
    reshape = "" if shape[1:] else " reshape { shape: [ ] }"
    return (
        f'{kind} [ {{ name: "{name}" data_type: {_TRITON_TYPES[onnx_type]} '
        f"dims: [ {dims} ]{reshape} }} ]"
    )


def _write_config(path: Path, config: str, *, model: str, onnx: Path) -> None:
    if path.exists():
        present = path.read_text()
        if present == config:
            return
        if _signature_lines(present) != _signature_lines(config):
            raise VersionOccupied(
                f"{model} in {path.parent.parent} has another signature than {onnx}: serve it "
                "under another name"
            )
    descriptor, temporary = tempfile.mkstemp(dir=path.parent, prefix=".config-")
    with os.fdopen(descriptor, "w") as file:
        file.write(config)
    Path(temporary).rename(path)


def _signature_lines(config: str) -> list[str]:
    return [line for line in config.splitlines() if line.startswith(("input ", "output "))]


def _write_version(target: Path, onnx: Path) -> None:
    with tempfile.TemporaryDirectory(dir=target.parent, prefix=".version-") as temporary:
        fresh = Path(temporary) / "version"
        fresh.mkdir()
        shutil.copyfile(onnx, fresh / "model.onnx")
        shutil.copyfile(_SERVING / "model.py", fresh / "model.py")
        try:
            fresh.rename(target)
        except OSError:  # another process was first, with the same bytes or it is told so
            if not filecmp.cmp(target / "model.onnx", onnx, shallow=False):
                raise VersionOccupied(f"another process just wrote {target}") from None
