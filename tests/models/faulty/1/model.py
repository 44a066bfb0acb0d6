"""Double a number, or fail in the way that a negative number asks for."""

import os
import time
from pathlib import Path

import numpy as np
import triton_python_backend_utils as pb

REFUSALS = {
    -1: ("INVALID_ARG", "poison row"),
    -2: ("INTERNAL", "the kernel failed"),
    -3: ("UNKNOWN", "something happened"),
    -4: ("UNSUPPORTED", "not implemented"),
    -5: ("NOT_FOUND", "no such embedding"),
    -6: ("UNAVAILABLE", "backend away"),
    -7: ("ALREADY_EXISTS", "already there"),
    -8: ("CANCELLED", "given up by the model"),
}
RAISES, EXITS, OUT_OF_MEMORY = -10, -11, -12
SHORT, FLOAT64, WIDE, EMPTY = -20, -21, -22, -23
NAN, INFINITE = -30, -31
SLOW, ROW_S = -40, 0.01
SLEEPS_FROM = -1000
HELD_FROM = -2_000_000
ROWS_IN_MEMORY = 4


class TritonPythonModel:
    """Answer `y = 2 x` as float32[n, 1] where no number asks for a fault."""

    def execute(self, requests):
        """Answer each request by itself."""
        return [answer(request) for request in requests]


def answer(request):
    """Return the response that the numbers in the request ask for."""
    x = pb.get_input_tensor_by_name(request, "x").as_numpy()
    asked = set(x[x < 0].astype(int).tolist())
    for code in asked & set(REFUSALS):
        kind, words = REFUSALS[code]
        return refusal(words, getattr(pb.TritonError, kind))
    if RAISES in asked:
        raise RuntimeError("the model has a bug")
    if EXITS in asked:
        os._exit(9)
    if OUT_OF_MEMORY in asked and len(x) > ROWS_IN_MEMORY:
        return refusal("CUDA error: out of memory", pb.TritonError.INTERNAL)
    time.sleep(len(x) * ROW_S if SLOW in asked else 0)
    hold(request, [HELD_FROM - v for v in asked if v < HELD_FROM])
    sleeps = [SLEEPS_FROM - v for v in asked if HELD_FROM <= v < SLEEPS_FROM]
    sleep(request, max(sleeps, default=0) / 1000)
    return pb.InferenceResponse([pb.Tensor("y", broken(asked, x * 2, x))])


def refusal(words, kind):
    """Return an error as the whole response."""
    return pb.InferenceResponse([], pb.TritonError(words, kind))


def hold(request, numbers):
    """Wait while a test has the file that a number names, or until the client has gone."""
    held = [Path(f"/tmp/held-by-a-test-{number}") for number in numbers]
    while any(file.exists() for file in held) and not request.is_cancelled():
        time.sleep(0.01)


def sleep(request, seconds):
    """Wait as long as asked, or until the client has gone."""
    end = time.monotonic() + seconds
    while time.monotonic() < end and not request.is_cancelled():
        time.sleep(0.01)


def broken(asked, y, x):
    """Return `y`, with the defect that the numbers ask for."""
    if SHORT in asked:
        return y[:-1]
    if FLOAT64 in asked:
        return y.astype(np.float64)
    if WIDE in asked:
        return np.repeat(y, 2, axis=1)
    if EMPTY in asked:
        return y[:0]
    y[x == NAN] = np.nan
    y[x == INFINITE] = np.inf
    return y
