"""Outcomes: a line and a metric for each request, by its route and without its secrets."""

import json
import re
import string
from pathlib import Path
from typing import Any

import pytest

from api.gateway.outcomes import ACCESS
from api.settings import Settings
from telemetry.logs import logged_to
from tests.api import tokens
from tests.api.conftest import OpenApi
from tests.api.gateway.conftest import NOBODY, app_of, client_of
from tests.api.gateway.test_authorization import DESCRIBED
from tests.chaos.seeds import Chaos

_FORMS = (
    ("GET", "/*"),
    ("GET", "/*/*"),
    ("GET", "/v1/*"),
    ("GET", "/v1/models/*"),
    ("DELETE", "/v1/models/*"),
    ("GET", "/v1/models/*/*"),
    ("GET", "/v1/models/*/versions/7"),
    ("GET", "/v1/models/*/aliases/*"),
    ("PUT", "/v1/models/*/aliases/*/route"),
    ("GET", "/v1/models/*/events"),
    ("GET", "/v1/routing/explain?model=*"),
    ("GET", "/v1/pools/*"),
    ("GET", "/v1/pools/*/servers/*:8001"),
    ("PUT", "/v1/pools/*/versions/*/7"),
    ("GET", "/v1/jobs/*"),
    ("POST", "/v1/jobs/*/cancel"),
    ("GET", "/v2/models/*"),
    ("GET", "/v2/models/*/ready"),
    ("GET", "/v2/models/*/versions/7/ready"),
    ("GET", "/v2/models/*/stats"),
    ("POST", "/v2/models/*/infer"),
    ("POST", "/v2/models/*@*/infer"),
    ("POST", "/v2/models/*/*"),
)
"""Method and path with a random word for each star."""
_ROW = {"inputs": [{"name": "X", "shape": [1, 1], "datatype": "FP32", "data": [1]}]}


def lines(file: Path) -> list[dict[str, Any]]:
    """Read the access log."""
    return [json.loads(line) for line in file.read_text().splitlines()]


def read(folder: Path) -> str:
    """Return all that was logged."""
    return "".join(file.read_text() for file in folder.glob("*.jsonl*"))


async def test_each_request_is_a_line(settings: Settings, tmp_path: Path) -> None:
    """With who, what and how long, whether it was answered, refused or met a fault."""
    file = tmp_path / "access.jsonl"
    async with client_of(settings) as api:
        with logged_to(file, of=ACCESS):
            sent = {"X-Request-ID": "r1", **tokens.bearer(subject="alice")}
            answer = await api.get("/probe/slow/0", headers=sent)
            await api.get("/v1/models/secret-model")
            await api.get("/probe/fault", headers=tokens.bearer())
            await api.request("BREW", "/probe/slow/0", headers=tokens.bearer())
    first, *rest = lines(file)
    assert first.pop("time")
    assert 0 <= first.pop("ms") < 60_000
    assert first.pop("trace_id") == answer.headers["traceparent"].split("-")[1]
    assert first == {
        "level": "info",
        "logger": ACCESS,
        "message": "answered",
        "request_id": "r1",
        "method": "GET",
        "path": "/probe/slow/0",
        "route": "/probe/slow/{ms}",
        "status": 200,
        "bytes": len(answer.content),
        "client": "192.0.2.1",
        "subject": "alice",
    }
    told = [(line["method"], line["route"], line["status"], line["subject"]) for line in rest]
    assert told == [
        ("GET", "unmatched", 401, None),
        ("GET", "/probe/fault", 500, "tester"),
        ("other", "/probe/slow/{ms}", 405, "tester"),
    ]


async def test_no_secret_is_logged(settings: Settings, tmp_path: Path) -> None:
    """Tokens in headers, in queries, in paths; accepted or not."""
    token = tokens.token()
    with logged_to(tmp_path / "all.jsonl"), logged_to(tmp_path / "access.jsonl", of=ACCESS):
        async with client_of(settings) as api:
            await api.get("/probe/slow/0", headers={"Authorization": f"Bearer {token}"})
            await api.get("/probe/fault", headers={"Authorization": f"Bearer {token}"})
            await api.get(f"/probe/slow/0?access_token={token}&password=hunter2")
            await api.get(f"/probe/{token}")
            await api.get(
                "/x", headers={"Authorization": f"Bearer {token}x", "Cookie": "s=hunter2"}
            )
    written = read(tmp_path)
    assert len(written.splitlines()) >= 6
    assert token.split(".")[2] not in written
    assert token.split(".")[1] not in written
    assert "hunter2" not in written


async def test_every_route_is_counted_by_its_template(settings: Settings) -> None:
    """The same that OpenAPI says, whichever router it came from."""
    app = app_of(settings)
    expected = {path for _, path in app.state.gateway.routes}
    assert set(DESCRIBED["paths"]) <= expected


@pytest.mark.chaos
async def test_paths_make_no_series(open_api: OpenApi, chaos: Chaos) -> None:
    """However many models, pools, jobs and paths are named: each kind of path has been met once."""
    random = chaos.random()

    def word() -> str:
        return "".join(random.choices(string.ascii_letters + string.digits, k=12))

    async with open_api(NOBODY, check_timeout_s=0.2) as api:
        del api.headers["Authorization"]

        async def series() -> int:
            return len((await api.get("/metrics")).text.splitlines())

        async def ask(method: str, form: str, headers: dict[str, str]) -> None:
            path = re.sub("[*]", lambda _: word(), form)
            body = json.dumps(_ROW) if method == "POST" else None
            await api.request(method, path, content=body, headers=headers)

        known = [(*form, headers) for form in _FORMS for headers in (tokens.bearer(), {})]
        for each in known:
            await ask(*each)
        before = await series()
        count = chaos.count(10_000, sample=138)
        for number in range(count):
            await ask(*known[number % len(known)])
        new = await series() - before
    chaos.tell(f"{count:,} random paths made {new} new series")
    assert new <= 5


async def test_odd_methods_make_no_series_each(settings: Settings) -> None:
    """A method that nobody knows is called other."""
    async with client_of(settings) as api:
        for number in range(20):
            await api.request(f"X{number}", "/probe/slow/0", headers=tokens.bearer())
        text = (await api.get("/metrics")).text
    assert text.count('nightshift_http_requests_total{method="other"') == 1
    assert 'route="/probe/slow/{ms}",status="405"} 20.0' in text
