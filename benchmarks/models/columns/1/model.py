"""Answer a linear combination of 64 features: nearly no compute, so that the data plane shows."""

import numpy as np
import triton_python_backend_utils as pb_utils


class TritonPythonModel:
    """`features` FP32[n, 64] gives `score` FP32[n, 1]."""

    def initialize(self, args: dict[str, str]) -> None:
        """Set the weights, the same in every run."""
        self._weights = np.linspace(-1.0, 1.0, 64, dtype=np.float32)[:, None]

    def execute(self, requests: list[object]) -> list[object]:
        """Score each request by itself."""
        return [self._answer(request) for request in requests]

    def _answer(self, request: object) -> object:
        features = pb_utils.get_input_tensor_by_name(request, "features").as_numpy()
        return pb_utils.InferenceResponse([pb_utils.Tensor("score", features @ self._weights)])
