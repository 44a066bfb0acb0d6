"""Score rows, note each request in a journal, do wrong what a file asks for.

A row is its number and a value. The journal, `WITNESS_JOURNAL`, gets a line for each request before
it is answered: seconds of the machine's monotonic clock, the server's process id, the first row's
number, rows, the fault or `-`. `WITNESS_ORDERS` names a JSON file, which may not be there:
`{"pause_s": 0.1, "fault": "short", "rows": [3, 77]}` has requests with one of these rows go wrong.
"""

import json
import os
import time
from pathlib import Path

import numpy as np
import triton_python_backend_utils as pb


class TritonPythonModel:
    """Answer `y = 2 value + number` as float32[n, 1]."""

    def initialize(self, args):
        """Open the journal, so that a line is one write."""
        flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND
        self.journal = os.open(os.environ["WITNESS_JOURNAL"], flags, 0o644)
        self.orders = os.environ["WITNESS_ORDERS"]

    def execute(self, requests):
        """Answer each request by itself."""
        return [self.answer(request) for request in requests]

    def answer(self, request):
        """Note a request, pause, answer as the orders say."""
        x = pb.get_input_tensor_by_name(request, "x").as_numpy()
        orders = read(self.orders)
        at_fault = np.isin(x[:, 0], orders.get("rows", []))
        fault = orders.get("fault", "-") if at_fault.any() else "-"
        line = f"{time.monotonic():.6f} {os.getppid()} {int(x[0, 0])} {len(x)} {fault}\n"
        os.write(self.journal, line.encode())
        time.sleep(orders.get("pause_s", 0))
        return respond(2 * x[:, 1:] + x[:, :1], fault, at_fault)


def read(path):
    """Return the orders, if there are any."""
    try:
        return json.loads(Path(path).read_text())
    except FileNotFoundError:
        return {}


def respond(y, fault, at_fault):
    """Return the answer, with the fault."""
    if fault == "raises":
        raise RuntimeError("the model has a bug")
    if fault == "exits":
        os._exit(9)
    if fault == "unavailable":
        error = pb.TritonError("the device is away", pb.TritonError.UNAVAILABLE)
        return pb.InferenceResponse([], error)
    if fault == "short":
        y = y[:-1]
    if fault == "long":
        y = np.concatenate([y, y[:1]])
    if fault == "empty":
        y = y[:0]
    if fault == "nan":
        y[at_fault] = np.nan
    if fault == "infinite":
        y[at_fault] = np.inf
    return pb.InferenceResponse([pb.Tensor("y", y)])
