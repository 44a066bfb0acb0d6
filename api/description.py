"""Describe the API: OpenAPI 3.1, from the routes."""

from typing import Any

from fastapi import FastAPI

from api.problems import Problem

_VERSION = "1"
"""The `1` of `/v1`: what is taken away or changes its meaning raises it."""

TEXT = """\
Manages models, versions, aliases, pools and servers; answers single requests from the models.

Every path under `/v1` needs a token: `Authorization: Bearer …`. The problem details of every
refusal follow RFC 9457. Lists come in pages: `next_cursor` asks for the next one. A change names
the state that it applies to (`If-Match` with an `ETag`), a create has an `Idempotency-Key`.
"""

TAGS = [
    {"name": "models", "description": "Names under which versions are registered."},
    {"name": "versions", "description": "Immutable states of models, and who approved them."},
    {"name": "aliases", "description": "Names that point to one version of a model."},
    {"name": "routing", "description": "How an alias's requests are split, and where one goes."},
    {"name": "pools", "description": "Triton servers that serve the same models."},
    {"name": "servers", "description": "Servers of a pool: probed, drained, removed."},
    {"name": "placements", "description": "Versions that a pool's servers shall serve."},
    {"name": "jobs", "description": "Datasets to be scored: submitted, watched, cancelled."},
    {"name": "inference", "description": "The Open Inference Protocol: rows in, answers out."},
    {"name": "health", "description": "For whoever watches this process."},
]


def describe(app: FastAPI) -> None:
    """Have `/openapi.json` name the shape of problems, and say what the API is."""
    app.version = _VERSION
    app.description = TEXT
    app.openapi_tags = TAGS
    described = app.openapi

    def openapi() -> dict[str, Any]:
        schema = described()
        schema["components"]["schemas"]["Problem"] = Problem.model_json_schema()
        # Routes stand in the order in which they are asked.
        schema["paths"] = dict(sorted(schema["paths"].items()))
        for path in schema["paths"].values():
            for method, operation in path.items():
                _require_headers(method, operation)
                _fill_in(operation)
        return schema

    app.openapi = openapi  # type: ignore[method-assign]  # as FastAPI documents it


def _require_headers(method: str, operation: dict[str, Any]) -> None:
    """Say which headers must be there: to the framework they are optional, so that 400 or 428
    answers where they are missing, and not 422."""
    for parameter in operation.get("parameters", ()):
        keyed = parameter["name"] == "idempotency-key"
        if keyed or (parameter["name"] == "if-match" and method in ("patch", "delete")):
            parameter["required"] = True
            parameter["schema"].setdefault("examples", ["*"])


def _fill_in(operation: dict[str, Any]) -> None:
    """Have the page of the documentation fill in each parameter's example: it reads no list."""
    for parameter in operation.get("parameters", ()):
        for example in parameter["schema"].get("examples", ())[:1]:
            parameter["example"] = example
