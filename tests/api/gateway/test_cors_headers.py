"""What pages of other origins may send and read: every header that routes know."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from httpx import Response

from api.gateway.cors import EXPOSED, SENT
from tests.api.conftest import OpenApi
from tests.api.gateway.conftest import NOBODY
from tests.api.gateway.test_authorization import DESCRIBED, filled
from tests.api.tokens import bearer
from tests.conftest import ROOT

ALWAYS_READ = {"cache-control", "content-length", "content-type"}
"""Of those that Fetch lets every page read, the ones that are sent."""
NOT_FOR_PAGES = {"connection", "vary", "x-accel-buffering"}
"""For browsers, caches and proxies on the way."""
READABLE = {name.lower() for name in EXPOSED} | ALWAYS_READ | NOT_FOR_PAGES
SENDABLE = {name.lower() for name in SENT}
_NAME = re.compile(r"(?:[A-Z][A-Za-z]*-)+[A-Z][A-Za-z]*|ETag|Link|Location|Allow")


async def test_a_page_reads_every_header_of_every_route(open_api: OpenApi) -> None:
    """Asked with the example, again with the same key, with nonsense, and without a token."""
    unreadable: dict[str, set[tuple[str, str]]] = {}
    seen: set[str] = set()

    def note(method: str, path: str, answer: Response) -> None:
        for name in answer.headers:
            seen.add(name)
            if name not in READABLE:
                unreadable.setdefault(name, set()).add((method, path))

    async with open_api(NOBODY, check_timeout_s=0.2) as api:
        for method, path, operation in operations():
            url = filled(path)
            key = {"Idempotency-Key": f"{method}-{url}".replace(" ", "")}
            for media, example in examples(operation) or [("application/json", None)]:
                told = {**key, "If-Match": "*", "Content-Type": media}
                for _ in range(2):
                    answer = await api.request(method, url, json=example, headers=told)
                    note(method, path, answer)
            note(method, path, await api.request(method, url, content=b"{", headers=key))
            note(method, path, await api.request(method, url, headers=bearer(())))
            note(method, path, await api.request("TRACE", url))
        del api.headers["Authorization"]
        note("GET", "/v1/models", await api.get("/v1/models"))
    assert unreadable == {}
    assert {"idempotency-key-expires", "idempotency-replayed", "allow", "accept-patch"} <= seen


def test_each_header_that_the_program_names_is_one_that_pages_know() -> None:
    """Also those of answers that are hard to provoke: each is read, sent, or not for pages."""
    unknown = {name: places for name, places in named() if name.lower() not in READABLE | SENDABLE}
    assert unknown == {}


async def test_a_page_sends_every_header_that_a_route_reads() -> None:
    """That the description names."""
    wanted = {
        parameter["name"].lower()
        for _, _, operation in operations()
        for parameter in operation.get("parameters", ())
        if parameter["in"] == "header"
    }
    assert wanted - SENDABLE == set()
    assert {"if-match", "idempotency-key", "x-sticky-key"} <= wanted


def operations() -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Go through every operation that is described, with its method and path."""
    for path, item in DESCRIBED["paths"].items():
        for method, operation in item.items():
            yield method.upper(), path, operation


def examples(operation: dict[str, Any]) -> list[tuple[str, Any]]:
    """Return an example of each kind of body, with its media type."""
    found = operation.get("requestBody", {}).get("content", {})
    return [
        (media, content["schema"]["examples"][0])
        for media, content in found.items()
        if content["schema"].get("examples")
    ]


def named() -> Iterator[tuple[str, str]]:
    """Give every text of the API's code that reads like a header's name, with its file."""
    for file in sorted(Path(ROOT / "api").rglob("*.py")):
        for node in ast.walk(ast.parse(file.read_text())):
            text = node.value if isinstance(node, ast.Constant) else None
            if isinstance(text, str) and _NAME.fullmatch(text):
                yield text, str(file.relative_to(ROOT))
