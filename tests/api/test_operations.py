"""Operations of one kind refuse alike: what the description says of each."""

import json
from collections.abc import Iterator
from typing import Any

from tests.conftest import ROOT


def _operations() -> Iterator[tuple[str, str, dict[str, Any]]]:
    described = json.loads((ROOT / "docs" / "openapi.json").read_text())
    for path, operations in described["paths"].items():
        if path.startswith(("/v1/models", "/v1/pools")):
            for method, operation in operations.items():
                yield path, method, operation


def _kinds(operation: dict[str, Any]) -> set[str]:
    found = set()
    for answer in operation["responses"].values():
        problem = answer.get("content", {}).get("application/problem+json", {})
        found |= set(problem.get("examples", ()))
    return found


def _names(operation: dict[str, Any]) -> set[str]:
    return {parameter["name"] for parameter in operation.get("parameters", ())}


def test_a_create_has_a_key() -> None:
    """Each says what becomes of one without, of a reused one and of one under way."""
    creates = [each for each in _operations() if each[1] == "post"]
    assert len(creates) == 5
    for path, _, operation in creates:
        assert "idempotency-key" in _names(operation), path
        assert "201" in operation["responses"], path
        assert _kinds(operation) >= {
            "malformed-json",
            "idempotency-key-missing",
            "idempotency-key-reused",
            "idempotent-request-running",
            "invalid-request",
        }, path


def test_a_change_names_what_it_applies_to() -> None:
    """Whatever takes If-Match says what becomes of a change without it, and of a late one."""
    conditional = [each for each in _operations() if "if-match" in _names(each[2])]
    assert len(conditional) == 13
    for path, method, operation in conditional:
        assert _kinds(operation) >= {"if-match-missing", "changed-meanwhile"}, (path, method)
        patched = {"malformed-json", "not-a-merge-patch"} <= _kinds(operation)
        assert patched == (method == "patch"), path


def test_a_list_has_pages() -> None:
    """Whatever takes a cursor says what becomes of one that is not its own."""
    lists = [each for each in _operations() if "cursor" in _names(each[2])]
    assert len(lists) == 7
    for path, _, operation in lists:
        assert "bad-cursor" in _kinds(operation), path
