"""Say in the API's description which requests an answer leads to, by OpenAPI's links."""

import re
from collections.abc import Mapping
from typing import Any

Operation = dict[str, Any]

_READS_AND_CHANGES = ("get", "patch", "put")
_IF_MATCH = "if-match"
_TAG = {
    "description": "The state that the answer shows, for `If-Match`.",
    "schema": {"type": "string"},
}
_NAMED_BY = {"model": "name", "pool": "name", "version": "version", "server": "url", "job": "id"}
"""Which member of what was created stands in paths, by the path's parameter."""
_ITEM = re.compile(r"/\{(\w+)\}(/\w+)?")


def link(paths: dict[str, dict[str, Operation]]) -> None:
    """Lead from every answer that shows a state to the changes that ask for it, and from every
    create to what may be done with what it made.
    """
    for path, item in paths.items():
        changes = [each for each in item.values() if _asks_for_a_state(each)]
        for method in _READS_AND_CHANGES:
            if changes and method in item:
                _lead(item[method], "200", changes, {})
        made = item.get("post", {})
        if "201" in made.get("responses", ()):
            _lead_from_create(path, made, paths)


def _lead_from_create(
    path: str, made: Operation, paths: Mapping[str, Mapping[str, Operation]]
) -> None:
    for longer, item in paths.items():
        found = _ITEM.fullmatch(longer.removeprefix(path))
        if longer.startswith(f"{path}/") and found:
            own = {found[1]: f"$response.body#/{_NAMED_BY[found[1]]}"}
            _lead(made, "201", list(item.values()), own)


def _lead(made: Operation, status: str, to: list[Operation], own: dict[str, str]) -> None:
    """Lead from an answer to operations; `own` are the places that the answer itself names."""
    answer = made["responses"][status]
    given = [each["name"] for each in made.get("parameters", ()) if each["in"] == "path"]
    places = {name: f"$request.path.{name}" for name in given} | own
    for each in to:
        told = {f"path.{name}": value for name, value in places.items()}
        if _asks_for_a_state(each):
            told[f"header.{_IF_MATCH}"] = "$response.header.ETag"
            answer.setdefault("headers", {})["ETag"] = _TAG
        name = each["operationId"]
        answer.setdefault("links", {})[name] = {"operationId": name, "parameters": told}


def _asks_for_a_state(operation: Operation) -> bool:
    return any(each["name"] == _IF_MATCH for each in operation.get("parameters", ()))
