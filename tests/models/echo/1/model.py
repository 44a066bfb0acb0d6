"""Give every tensor back as it came."""

import triton_python_backend_utils as pb


class TritonPythonModel:
    """Answer each given input `NAME` as `NAME_OUT`."""

    def execute(self, requests):
        """Echo each request by itself."""
        return [
            pb.InferenceResponse(
                [pb.Tensor(f"{t.name()}_OUT", t.as_numpy()) for t in request.inputs()]
            )
            for request in requests
        ]
