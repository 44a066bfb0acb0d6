"""Describe the routes of the Open Inference Protocol for OpenAPI."""

from typing import Annotated, Any

from fastapi import Path

from api import errors
from api.bodies import INVALID
from api.gateway.authorization import GUARDED
from api.problems import MEDIA_TYPE, V2_MEDIA_TYPE, Kind, refusals
from api.v2 import headers
from api.v2.names import MODEL_PATTERN, VERSION_PATTERN

V2Model = Annotated[
    str,
    Path(
        pattern=MODEL_PATTERN,
        description="A registered model, one of its aliases as `model@alias`, or a model that a "
        "pool serves.",
        examples=["churn@champion"],
    ),
]
V2Bare = Annotated[
    str,
    Path(
        pattern=MODEL_PATTERN,
        description="A registered model, or one that a pool serves; its version follows.",
        examples=["churn"],
    ),
]
V2Version = Annotated[
    str, Path(pattern=VERSION_PATTERN, description="A version, by its number.", examples=["1"])
]


def refusals_v2(*kinds: Kind) -> dict[int | str, dict[str, Any]]:
    """Return what OpenAPI says of how any of these routes may refuse, and for `kinds` besides."""
    return as_v2(GUARDED | refusals(INVALID, errors.UNAVAILABLE, *kinds))


def as_v2(described: dict[int | str, dict[str, Any]]) -> dict[int | str, dict[str, Any]]:
    """Return what OpenAPI says of refusals, as they look under `/v2`."""
    return {
        status: {**said, "content": {V2_MEDIA_TYPE: said["content"][MEDIA_TYPE]}}
        for status, said in described.items()
    }


def _header(name: str, kind: str, words: str) -> dict[str, Any]:
    return {"in": "header", "name": name, "description": words, "schema": {"type": kind}}


_TENSOR = {
    "type": "object",
    "required": ["name", "shape", "datatype"],
    "properties": {
        "name": {"type": "string"},
        "shape": {"type": "array", "items": {"type": "integer"}},
        "datatype": {"type": "string"},
        "parameters": {"type": "object"},
        "data": {"type": "array", "items": {}, "description": "Nested as the shape says, or flat."},
    },
}
_REQUEST = {
    "type": "object",
    "required": ["inputs"],
    "properties": {
        "id": {"type": "string"},
        "parameters": {"type": "object"},
        "inputs": {"type": "array", "items": _TENSOR},
        "outputs": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["name"],
                "properties": {"name": {"type": "string"}, "parameters": {"type": "object"}},
            },
        },
    },
    "examples": [
        {"inputs": [{"name": "X", "shape": [1, 3], "datatype": "FP32", "data": [[41, 5, 80.5]]}]}
    ],
}
_ANSWER = {
    "type": "object",
    "required": ["model_name", "model_version", "outputs"],
    "properties": {
        "model_name": {"type": "string"},
        "model_version": {"type": "string", "description": "The version that answered."},
        "id": {"type": "string"},
        "parameters": {"type": "object"},
        "outputs": {"type": "array", "items": _TENSOR},
    },
}
_BYTES = {"schema": {"type": "string", "format": "binary"}}

INFER: dict[str, Any] = {
    "parameters": [
        _header(headers.JSON_BYTES, "integer", "Length of the JSON that binary tensors follow."),
        _header(headers.TIMEOUT, "integer", "Milliseconds that the caller waits."),
        _header(headers.STICKY_KEY, "string", "Equal keys get the same version of a split alias."),
        _header(headers.PIN_VERSION, "integer", f"The version; needs `{headers.PIN_SCOPE}`."),
    ],
    "requestBody": {
        "required": True,
        "content": {"application/json": {"schema": _REQUEST}},
    },
}
"""`openapi_extra=` of a route that infers; binary bodies are in the protocol, not in the schema."""
ANSWERED: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "What the model answered; binary where that was asked for.",
        "content": {"application/json": {"schema": _ANSWER}, "application/octet-stream": _BYTES},
    }
}
