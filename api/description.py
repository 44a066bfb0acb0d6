"""Describe the API: OpenAPI 3.1, from the routes."""

from typing import Any

from fastapi import FastAPI

from api.gateway.refusals import (
    ENCODED,
    KEYS_AWAY,
    OVER_CAPACITY,
    OVER_QUOTA,
    TOO_LARGE,
    TOO_SLOW,
)
from api.links import link
from api.problems import MEDIA_TYPE, V2_MEDIA_TYPE, Kind, Problem, is_v2, refusals
from api.v2.service import HEALTH

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
    {"name": "development", "description": "For trying things out; not there in production."},
]


_WATCHED = ("/health/", HEALTH)
"""How the paths begin that are answered whatever else there is to do."""


def describe(app: FastAPI) -> None:
    """Have `/openapi.json` name the shape of problems, and say what the API is."""
    app.version = _VERSION
    app.description = TEXT
    described = app.openapi

    def openapi() -> dict[str, Any]:
        schema = described()
        schema["components"]["schemas"]["Problem"] = Problem.model_json_schema()
        # Routes stand in the order in which they are asked.
        schema["paths"] = dict(sorted(schema["paths"].items()))
        for path, operations in schema["paths"].items():
            for operation in operations.values():
                _require_headers(operation)
                _fill_in(operation)
                _tell_refusals(operation, _of_the_gateway(path, operation), v2=is_v2(path))
        link(schema["paths"])
        schema["tags"] = _used_tags(schema["paths"])
        return schema

    app.openapi = openapi  # type: ignore[method-assign]  # as FastAPI documents it


def _require_headers(operation: dict[str, Any]) -> None:
    """Say which headers must be there: to the framework they are optional, so that 400 or 428
    answers where they are missing, and not 422."""
    parameters = operation.get("parameters", ())
    otherwise = any(parameter["name"] == "if-none-match" for parameter in parameters)
    named = "428" in operation["responses"] and not otherwise
    for parameter in parameters:
        if parameter["name"] == "idempotency-key" or (named and parameter["name"] == "if-match"):
            parameter["required"] = True
            parameter["schema"].setdefault("examples", ["*"])


def _of_the_gateway(path: str, operation: dict[str, Any]) -> list[Kind]:
    """Return what is refused before the route hears of it; nothing for what watches the process."""
    if path.startswith(_WATCHED):
        return []
    kinds = [OVER_QUOTA, OVER_CAPACITY]
    if operation.get("security"):
        kinds.append(KEYS_AWAY)
    if "requestBody" in operation:
        kinds.extend((TOO_SLOW, TOO_LARGE, ENCODED))
    return kinds


def _tell_refusals(operation: dict[str, Any], kinds: list[Kind], *, v2: bool) -> None:
    """Add what is told of the kinds to that of the route's own, by status."""
    media = V2_MEDIA_TYPE if v2 else MEDIA_TYPE
    responses = operation["responses"]
    for kind in kinds:
        ((status, told),) = refusals(kind).items()
        content = told["content"][MEDIA_TYPE]
        present = responses.setdefault(str(status), told | {"content": {media: content}})
        examples = present["content"][media]["examples"]
        if kind.name not in examples:
            present["description"] += f" Or: {kind.explained}"
            examples[kind.name] = content["examples"][kind.name]
    operation["responses"] = dict(sorted(responses.items()))


def _used_tags(paths: dict[str, Any]) -> list[dict[str, str]]:
    operations = [each for operations in paths.values() for each in operations.values()]
    used = {tag for operation in operations for tag in operation.get("tags", ())}
    return [tag for tag in TAGS if tag["name"] in used]


def _fill_in(operation: dict[str, Any]) -> None:
    """Have the page of the documentation fill in each parameter's example: it reads no list."""
    for parameter in operation.get("parameters", ()):
        for example in parameter["schema"].get("examples", ())[:1]:
            parameter["example"] = example
