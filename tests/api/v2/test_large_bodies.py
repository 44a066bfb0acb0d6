"""Large bodies that come at the same time."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import orjson

from tests.api.v2.service import Service, scores_of

_CALLERS = 8
_ROWS = np.linspace(-1, 1, 16_384 * 64, dtype=np.float32).reshape(-1, 64)
"""4 MiB: twice as much as comes in at a time."""


def test_more_than_come_in_together_are_all_answered(service: Service) -> None:
    """Those who wait for their turn are neither refused nor given another's answer."""

    def ask(number: int) -> bool:
        rows = _ROWS * np.float32(number)
        told = orjson.dumps(
            {
                "inputs": [
                    {
                        "name": "features",
                        "shape": rows.shape,
                        "datatype": "FP32",
                        "parameters": {"binary_data_size": rows.nbytes},
                    }
                ],
                "parameters": {"binary_data_output": True},
            }
        )
        answer = service.post(
            "/v2/models/linear/infer",
            told + rows.tobytes(),
            Inference_Header_Content_Length=str(len(told)),
        )
        assert answer.status_code == 200, answer.text
        behind = int(answer.headers["Inference-Header-Content-Length"])
        scores = np.frombuffer(answer.content[behind:], dtype="<f4").reshape(-1, 1)
        return bool(np.allclose(scores, scores_of(rows), rtol=1e-4, atol=1e-4))

    with ThreadPoolExecutor(_CALLERS) as callers:
        assert list(callers.map(ask, range(1, _CALLERS + 1))) == [True] * _CALLERS
