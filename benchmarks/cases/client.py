"""Ask Triton for the scores of one array with its stock client."""

from typing import Any

import numpy as np
from tritonclient import grpc, http

from benchmarks.cases.task import Task


class Client:
    """One connection, for one thread at a time: HTTP, or gRPC where the knob `grpc` says so."""

    def __init__(self, task: Task) -> None:
        self._task = task
        self._by_grpc = bool(task.knobs.get("grpc"))
        self._client = (
            grpc.InferenceServerClient(task.grpc_url)
            if self._by_grpc
            else http.InferenceServerClient(task.http_url)
        )

    def ask(self, array: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
        """Return FP32[rows, output_width]."""
        task = self._task
        kind = grpc if self._by_grpc else http
        asked = kind.InferInput(task.input, array.shape, task.datatype)
        asked.set_data_from_numpy(array)
        answer = self._client.infer(task.model, [asked], outputs=[self._wanted()])
        return np.asarray(answer.as_numpy(task.output_name))

    def _wanted(self) -> Any:
        name = self._task.output_name
        if self._by_grpc:
            return grpc.InferRequestedOutput(name)
        return http.InferRequestedOutput(name, binary_data=True)
