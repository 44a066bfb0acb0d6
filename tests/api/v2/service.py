"""Talk to the API under test."""

from dataclasses import dataclass
from typing import Any

import httpx
import numpy as np
import numpy.typing as npt

ROWS = np.linspace(-1, 1, 128, dtype=np.float32).reshape(2, 64)
"""Two rows for the model `linear`."""


@dataclass(frozen=True, slots=True)
class Service:
    """A running API."""

    address: str
    """`HOST:PORT`, as stock clients want it."""
    client: httpx.Client
    """A plain HTTP client whose token allows everything."""

    def infer(
        self, model: str, body: dict[str, Any] | bytes, **headers: str
    ) -> tuple[int, dict[str, Any]]:
        """Send a request; return the status with the answer's JSON."""
        answer = self.post(f"/v2/models/{model}/infer", body, **headers)
        return answer.status_code, answer.json()

    def post(self, path: str, body: dict[str, Any] | bytes, **headers: str) -> httpx.Response:
        """Post JSON, or bytes as they are; `_` in a header's name is `-`."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        if isinstance(body, bytes):
            return self.client.post(path, content=body, headers=named)
        return self.client.post(path, json=body, headers=named)


def scores_of(rows: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """Return what the model `linear` answers to rows."""
    weights = np.linspace(-1, 1, 64, dtype=np.float32)
    return np.asarray((rows @ weights).reshape(-1, 1), dtype=np.float32)
