"""Sleep for as long as each row says."""

import time

import triton_python_backend_utils as pb


class TritonPythonModel:
    """Answer the seconds slept as float32[1, 1]."""

    def execute(self, requests):
        """Sleep for one request after the other."""
        return [answer(request) for request in requests]


def answer(request):
    """Sleep, then say for how long."""
    seconds = pb.get_input_tensor_by_name(request, "seconds").as_numpy()
    time.sleep(float(seconds.max()))
    return pb.InferenceResponse([pb.Tensor("slept", seconds)])
