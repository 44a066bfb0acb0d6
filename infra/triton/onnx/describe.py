"""Print what an ONNX file takes and gives, as JSON.

Run by Triton's Python, the one that will serve the file: `python describe.py FILE`. Exits with 1
and one line on standard error when onnxruntime cannot read it.
"""

import json
import sys

import onnxruntime as ort


def describe(path: str) -> dict[str, list[dict[str, object]]]:
    """Return name, ONNX type and shape of each input and output; -1 is a dimension that varies."""
    options = ort.SessionOptions()
    options.log_severity_level = 4
    options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_DISABLE_ALL
    session = ort.InferenceSession(path, options, providers=["CPUExecutionProvider"])

    def tensor(node: ort.NodeArg) -> dict[str, object]:
        shape = [size if isinstance(size, int) else -1 for size in node.shape or []]
        return {"name": node.name, "type": node.type, "shape": shape}

    return {
        "inputs": [tensor(node) for node in session.get_inputs()],
        "outputs": [tensor(node) for node in session.get_outputs()],
    }


if __name__ == "__main__":
    try:
        print(json.dumps(describe(sys.argv[1])))
    except Exception as failure:  # noqa: BLE001 - process edge: any failure is one line
        sys.exit(" ".join(str(failure).split()))
