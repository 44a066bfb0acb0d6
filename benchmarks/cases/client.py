"""Ask Triton for the scores of one array with its stock client."""

from typing import Any

import numpy as np
from tritonclient import http

from benchmarks.cases.task import Task


class Client:
    """One connection, for one thread at a time.

    HTTP, because Triton's HTTP client is faster than its gRPC client for requests of this size.
    """

    def __init__(self, task: Task) -> None:
        self._task = task
        self._client = http.InferenceServerClient(task.http_url)

    def ask(self, array: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
        """Return FP32[rows, output_width]."""
        task = self._task
        asked = http.InferInput(task.input, array.shape, task.datatype)
        asked.set_data_from_numpy(array)
        wanted = http.InferRequestedOutput(task.output_name, binary_data=True)
        answer = self._client.infer(task.model, [asked], outputs=[wanted])
        return np.asarray(answer.as_numpy(task.output_name))
