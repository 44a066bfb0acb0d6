"""Score 64 features with fixed weights from -1 to 1."""

import numpy as np
import triton_python_backend_utils as pb


class TritonPythonModel:
    """Answer `features @ weights` as float32[n, 1]."""

    def initialize(self, args):
        """Fix the weights, so that a test can compute the same scores."""
        self.weights = np.linspace(-1, 1, 64, dtype=np.float32)[:, None]

    def execute(self, requests):
        """Score each request by itself."""
        return [
            pb.InferenceResponse([pb.Tensor("score", features(request) @ self.weights)])
            for request in requests
        ]


def features(request):
    """Return the request's features as float32[n, 64]."""
    return pb.get_input_tensor_by_name(request, "features").as_numpy()
