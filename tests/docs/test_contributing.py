"""What CONTRIBUTING says that a test may assume of time, held against every test."""

import ast
from collections.abc import Iterator

import pytest

from tests.conftest import ROOT

_LIMITS = {"timeout", "within_s"}
_MEANT_TO_PASS_S, _ENDS_WHAT_HANGS_S = 3.0, 60.0
_CLIENTS = {f"httpx.{name}" for name in ("Client", "delete", "get", "post", "put", "request")}


def hasty(code: str) -> Iterator[str]:
    """Give each limit of seconds that a slow machine may pass, and each client without one."""
    for call in ast.walk(ast.parse(code)):
        if not isinstance(call, ast.Call):
            continue
        named = {keyword.arg: keyword.value for keyword in call.keywords}
        limits = [value for name, value in named.items() if name in _LIMITS]
        if ast.unparse(call.func) == "asyncio.timeout":
            limits += call.args
        if any(map(_is_hasty, limits)):
            yield f"{call.lineno}: {ast.unparse(call)}"
        if ast.unparse(call.func) in _CLIENTS and not {"timeout", None} & named.keys():
            yield f"{call.lineno}: {ast.unparse(call)} without a timeout"


def _is_hasty(limit: ast.expr) -> bool:
    if not isinstance(limit, ast.Constant) or not isinstance(limit.value, int | float):
        return False
    return _MEANT_TO_PASS_S <= limit.value < _ENDS_WHAT_HANGS_S


def test_no_test_is_in_a_hurry() -> None:
    """A limit ends what hangs, or is meant to pass; a busy machine does neither."""
    found = [
        f"{path.relative_to(ROOT)}:{line}"
        for path in sorted((ROOT / "tests").rglob("*.py"))
        for line in hasty(path.read_text())
    ]
    assert found == []


@pytest.mark.parametrize(
    ("code", "count"),
    [
        ("process.wait(timeout=20)", 1),
        ("eventually(done, within_s=5.0)", 1),
        ("asyncio.timeout(10)", 1),
        ("httpx.get(url)", 1),
        ("process.wait(timeout=60)", 0),
        ("queue.get(timeout=0.1)", 0),
        ("httpx.Client(**options)", 0),
        ("httpx.get(url, timeout=LIMIT_S)", 0),
    ],
)
def test_hurry_is_known_when_it_is_seen(code: str, count: int) -> None:
    """By its number; what is a name says itself what it is for."""
    assert len(list(hasty(code))) == count
