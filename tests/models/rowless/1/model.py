"""Give three numbers back, always three: a model whose first dimension is not the rows."""

import triton_python_backend_utils as pb


class TritonPythonModel:
    """Answer `y = x` as float32[3]."""

    def execute(self, requests):
        """Answer each request by itself."""
        return [
            pb.InferenceResponse(
                [pb.Tensor("y", pb.get_input_tensor_by_name(request, "x").as_numpy())]
            )
            for request in requests
        ]
