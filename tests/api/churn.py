"""The model that the examples of the API's description speak of, in a real Triton."""

from pathlib import Path

SERVED = "churn"
SIGNATURE = {
    "inputs": [{"name": "X", "datatype": "FP32", "shape": [-1, 3]}],
    "outputs": [{"name": "label", "datatype": "INT64", "shape": [-1, 1]}],
    "max_batch_size": 65536,
}
_CONFIG = """\
name: "churn"
backend: "python"
max_batch_size: 65536
input [{ name: "X" data_type: TYPE_FP32 dims: [ 3 ] }]
output [{ name: "label" data_type: TYPE_INT64 dims: [ 1 ] }]
instance_group [{ kind: KIND_CPU count: 1 }]
"""
_MODEL = '''\
"""Say whether the three columns of a row have a positive sum."""

import numpy as np
import triton_python_backend_utils as pb


class TritonPythonModel:
    """Answer `X.sum() > 0` as int64[n, 1]."""

    def execute(self, requests):
        """Answer each request by itself."""
        rows = [pb.get_input_tensor_by_name(each, "X").as_numpy() for each in requests]
        return [
            pb.InferenceResponse(
                [pb.Tensor("label", (x.sum(axis=1, keepdims=True) > 0).astype(np.int64))]
            )
            for x in rows
        ]
'''


def lay_out(folder: Path) -> Path:
    """Return a model repository with `churn` in it."""
    (folder / SERVED / "1").mkdir(parents=True)
    (folder / SERVED / "config.pbtxt").write_text(_CONFIG)
    (folder / SERVED / "1" / "model.py").write_text(_MODEL)
    return folder
