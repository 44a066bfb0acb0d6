"""Double and sum rows of any length, the same within a request."""

import numpy as np
import triton_python_backend_utils as pb


class TritonPythonModel:
    """Answer `doubled = 2 values` as float32[n, k], and their `total` as float64[n]."""

    def execute(self, requests):
        """Answer each request by itself."""
        return [answer(request) for request in requests]


def answer(request):
    """Return both outputs."""
    values = pb.get_input_tensor_by_name(request, "values").as_numpy()
    total = values.sum(axis=1, dtype=np.float64)
    return pb.InferenceResponse([pb.Tensor("doubled", values * 2), pb.Tensor("total", total)])
