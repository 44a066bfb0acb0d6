"""Export boosted trees as ONNX whose scores do not depend on how rows are grouped.

A float32 sum depends on the order of its terms, and onnxruntime chooses the order by the number of
rows and threads: the same row can score differently in another microbatch. So every leaf is rounded
to a multiple of one power of two, so coarse that all partial sums of all trees are whole multiples
of it below 2**24. float32 holds each of those exactly, so every order gives the same bits.
"""

import math
import warnings
from typing import Any

import numpy as np

_FLOAT32_WHOLE = 2**24
"""Whole numbers up to here are exact in float32, by IEEE 754."""

_OPSET = {"": 18, "ai.onnx.ml": 3}
"""Old enough for every onnxruntime since 1.14."""


def export(model: Any, *, features: int, added: int, output: str) -> bytes:
    """Return `features[:, added] + model(features)` as ONNX.

    `model`: a fitted HistGradientBoostingRegressor. The ONNX model takes `features`
    FP32[-1, features] and gives `output` FP32[-1, 1].
    """
    from onnx import checker, helper, numpy_helper
    from skl2onnx import to_onnx
    from skl2onnx.common.data_types import FloatTensorType

    with warnings.catch_warnings():
        # skl2onnx 1.20 writes flags as booleans where ONNX has integers; protobuf still takes them.
        warnings.filterwarnings("ignore", "Field onnx.AttributeProto.ints", DeprecationWarning)
        exported = to_onnx(
            model,
            initial_types=[("features", FloatTensorType([None, features]))],
            final_types=[("gain", FloatTensorType([None, 1]))],
            target_opset=_OPSET,
        )
    graph = exported.graph
    trees = next(node for node in graph.node if node.op_type == "TreeEnsembleRegressor")
    round_leaves(trees)
    graph.initializer.append(numpy_helper.from_array(np.array([added], np.int64), "added"))
    graph.node.extend(
        [
            helper.make_node("Gather", ["features", "added"], ["start"], axis=1),
            helper.make_node("Add", ["start", "gain"], [output]),
        ]
    )
    graph.output[0].name = output
    checker.check_model(exported)
    data: bytes = exported.SerializeToString()
    return data


def round_leaves(trees: Any) -> float:
    """Round the leaves of a TreeEnsembleRegressor node to one unit; return the unit.

    The finest power of two for which no sum of one leaf a tree, whatever its order, leaves
    float32's exact range; 0 when every leaf is 0.
    """
    attributes = {attribute.name: attribute for attribute in trees.attribute}
    weights = np.array(attributes["target_weights"].floats)
    base = np.array(attributes["base_values"].floats)
    owner = np.array(attributes["target_treeids"].ints)
    largest = np.zeros(owner.max() + 1)
    np.maximum.at(largest, owner, np.abs(weights))
    # A hundredth more than the sum itself: rounding may have made each leaf half a unit larger.
    bound = 1.01 * (largest.sum() + np.abs(base).sum())
    if bound == 0:
        return 0.0
    unit = 2.0 ** math.ceil(math.log2(bound / _FLOAT32_WHOLE))
    for name, values in (("target_weights", weights), ("base_values", base)):
        attribute = attributes[name]
        del attribute.floats[:]
        attribute.floats.extend((np.round(values / unit) * unit).tolist())
    return unit
