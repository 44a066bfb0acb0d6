"""Serve one ONNX file from Triton's Python backend with onnxruntime.

Copied beside `model.onnx` in each version directory of the model repository. Runs in Triton's
environment (numpy < 2), so it imports nothing of the platform.
"""

import json
import os
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime as ort
import triton_python_backend_utils as pb_utils  # type: ignore[import-not-found]  # Triton has it
from onnxruntime.capi import onnxruntime_pybind11_state as ort_errors

# Threads that spin while they wait for work take the cores that clients and other servers need;
# from this many on the latency they save is worth it.
_SPINNING_FROM_CORES = 8


class TritonPythonModel:
    """One instance of the model: answers each request by itself."""

    def initialize(self, args: dict[str, str]) -> None:
        """Load the ONNX file of this version; an error here is Triton's reason for not loading."""
        config = json.loads(args["model_config"])
        folder = Path(args["model_repository"]) / args["model_version"]
        self._session = ort.InferenceSession(
            str(folder / "model.onnx"),
            sess_options=_session_options(_instances(config)),
            providers=["CPUExecutionProvider"],
        )
        self._inputs = [(i.name, i.type == "tensor(string)") for i in self._session.get_inputs()]
        self._known_outputs = [o.name for o in self._session.get_outputs()]

    def execute(self, requests: list[Any]) -> list[Any]:
        """Answer every request; one that fails does not touch the others."""
        return [self._answer(request) for request in requests]

    def _answer(self, request: Any) -> Any:
        try:
            feeds = {name: self._feed(request, name, text) for name, text in self._inputs}
            asked = set(request.requested_output_names())
            wanted = [name for name in self._known_outputs if name in asked]
            results = self._session.run(wanted, feeds)
        except (UnicodeDecodeError, ort_errors.InvalidArgument) as error:
            return _refusal(str(error), pb_utils.TritonError.INVALID_ARG)
        except Exception as error:  # noqa: BLE001 - server edge: a fault ends with its request
            return _refusal(f"{type(error).__name__}: {error}", pb_utils.TritonError.INTERNAL)
        tensors = [
            pb_utils.Tensor(name, _to_triton(result))
            for name, result in zip(wanted, results, strict=True)
        ]
        return pb_utils.InferenceResponse(output_tensors=tensors)

    @staticmethod
    def _feed(request: Any, name: str, text: bool) -> Any:
        """Return the input without copying it; text is decoded, as onnxruntime takes str only."""
        array = pb_utils.get_input_tensor_by_name(request, name).as_numpy()
        if not text:
            return array
        decoded = np.empty(array.size, dtype=object)
        decoded[:] = [item.decode("utf-8") for item in array.ravel()]
        return decoded.reshape(array.shape)


def _instances(config: dict[str, Any]) -> int:
    return sum(int(group.get("count", 1)) for group in config.get("instance_group", [])) or 1


def _session_options(instances: int) -> ort.SessionOptions:
    """Share the cores that this process may use among the model's instances."""
    cores = len(os.sched_getaffinity(0))
    options = ort.SessionOptions()
    options.intra_op_num_threads = max(1, cores // instances)
    options.inter_op_num_threads = 1
    options.log_severity_level = 3  # errors reach the client; warnings about the file are noise
    if cores < _SPINNING_FROM_CORES:
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    return options


def _to_triton(result: Any) -> np.ndarray:
    if result.dtype.kind not in "OU":
        return np.ascontiguousarray(result)
    encoded = np.empty(result.size, dtype=object)
    encoded[:] = [item.encode("utf-8") for item in result.ravel()]
    return encoded.reshape(result.shape)


def _refusal(message: str, code: Any) -> Any:
    error = pb_utils.TritonError(" ".join(message.split()), code)
    return pb_utils.InferenceResponse(output_tensors=[], error=error)
