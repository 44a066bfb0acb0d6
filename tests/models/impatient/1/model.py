"""Sleep for as long as each row says, or while a test holds it."""

import time
from pathlib import Path

import triton_python_backend_utils as pb

HELD_FROM = -2_000_000
"""What lies below it by a number waits while a test has the file of that number."""


class TritonPythonModel:
    """Answer the seconds slept as float32[1, 1]."""

    def execute(self, requests):
        """Sleep for one request after the other."""
        return [answer(request) for request in requests]


def answer(request):
    """Sleep, then say for how long."""
    seconds = pb.get_input_tensor_by_name(request, "seconds").as_numpy()
    number = int(HELD_FROM - seconds.min())
    while number > 0 and Path(f"/tmp/held-by-a-test-{number}").exists():
        if request.is_cancelled():
            break
        time.sleep(0.01)
    time.sleep(max(0.0, float(seconds.max())))
    return pb.InferenceResponse([pb.Tensor("slept", seconds)])
