"""Examples of the API's description; they work as printed on an empty registry, in order."""

from typing import Any

DRAFT: dict[str, Any] = {
    "served_name": "churn",
    "served_version": 1,
    "digest": "sha256:" + "0f" * 32,
    "signature": {
        "inputs": [{"name": "X", "datatype": "FP32", "shape": [-1, 3]}],
        "outputs": [{"name": "label", "datatype": "INT64", "shape": [-1, 1]}],
        "max_batch_size": 65536,
    },
    "columns": {"X": ["age", "visits", "spend"]},
    "description": "Logistic regression on three columns",
    "tags": {"stage": "trial"},
}
"""A version whose signature is given, so that no server is asked."""
