"""Write small ONNX files."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper

Shape = Sequence[str | int]


def linear(path: Path, *, width: int = 4, factor: float = 1.0) -> Path:
    """`y` = `factor` times the sum of a row of `x`: FP32[n, width] to FP32[n, 1]."""
    weights = np.full((width, 1), factor, dtype=np.float32)
    return save(
        path,
        nodes=[helper.make_node("MatMul", ["x", "w"], ["y"])],
        inputs=[tensor("x", TensorProto.FLOAT, ["n", width])],
        outputs=[tensor("y", TensorProto.FLOAT, ["n", 1])],
        constants=[onnx.numpy_helper.from_array(weights, "w")],
    )


def echo(path: Path, **types: tuple[int, Shape]) -> Path:
    """Give each input back as `<name>_out`."""
    return save(
        path,
        nodes=[helper.make_node("Identity", [name], [f"{name}_out"]) for name in types],
        inputs=[tensor(name, *spec) for name, spec in types.items()],
        outputs=[tensor(f"{name}_out", *spec) for name, spec in types.items()],
    )


def tensor(name: str, element_type: int, shape: Shape) -> onnx.ValueInfoProto:
    """Describe one input or output; names in `shape` are dimensions that vary."""
    return helper.make_tensor_value_info(name, element_type, list(shape))


def save(
    path: Path,
    *,
    nodes: list[onnx.NodeProto],
    inputs: list[onnx.ValueInfoProto],
    outputs: list[onnx.ValueInfoProto],
    constants: Sequence[onnx.TensorProto] = (),
) -> Path:
    """Write the graph to `path`."""
    graph = helper.make_graph(nodes, "graph", inputs, outputs, list(constants))
    opset = helper.make_opsetid("", 17)
    onnx.save(helper.make_model(graph, opset_imports=[opset], ir_version=9), path)
    return path
