"""JSON traps: a body that JSON does not allow is the sender's error, on every route."""

import json

import pytest

from api.problems import is_v2
from tests.api.conftest import OpenApi
from tests.api.gateway.conftest import NOBODY
from tests.api.gateway.test_authorization import GUARDED, filled

TRAPS = {
    "NaN": b'{"name": NaN}',
    "Infinity": b'{"name": "a", "tags": {"x": Infinity}}',
    "1e999": b'{"name": "a", "description": 1e999}',
    "a lone surrogate": b'{"name": "\\ud800"}',
    "a lone surrogate as a key": b'{"\\udc00": 1}',
    "depth": b"[" * 200_000,
    "closed depth": b'{"a":' * 50_000 + b"1" + b"}" * 50_000,
    "no UTF-8": b'{"name": "\xff\xfe"}',
    "UTF-16": '{"name": "a"}'.encode("utf-16"),
    "a NUL": b'{"name": "a\\u0000b"}',
    "a bare NUL": b"\x00",
    "many digits": b'{"name": ' + b"9" * 100_000 + b"}",
    "half": b'{"name": "a',
    "a text": b'"a"',
    "null": b"null",
    "twice": b'{"name": "a", "name": 1}',
}
LENIENT = "/v2/repository/index"
"""It ignores members that it does not know, as its protocol has it."""
WRITES = [
    (method, path)
    for method, path, _ in GUARDED
    if method in ("POST", "PUT", "PATCH") and path != LENIENT
]


async def test_no_trap_is_a_fault(open_api: OpenApi) -> None:
    """Each trap on each route that takes a body: 4xx, a problem, and nothing of the body in it."""
    assert len(WRITES) > 8
    wrong = []
    async with open_api(NOBODY) as api:
        for method, path in WRITES:
            media = "application/merge-patch+json" if method == "PATCH" else "application/json"
            for name, body in TRAPS.items():
                answer = await api.request(
                    method, filled(path), content=body, headers={"Content-Type": media}
                )
                told = "application/json" if is_v2(path) else "application/problem+json"
                problem = answer.headers.get("content-type") == told
                if not 400 <= answer.status_code < 500 or not problem:
                    wrong.append((method, path, name, answer.status_code))
                json.loads(answer.text, parse_constant=pytest.fail)
    assert wrong == []
