"""`/docs` in a real browser: it shows every operation, and what it fills in works."""

import os
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from cli.stack.process import LOOPBACK, GuardedProcess, free_ports
from tests.api import chromium, churn
from tests.conftest import ROOT, TritonFactory

pytestmark = [
    pytest.mark.triton,
    pytest.mark.timeout(400),
    pytest.mark.skipif(chromium.PROGRAM is None, reason="no Chromium on this machine"),
]
IN_ORDER = (
    "POST /v1/models",
    "POST /v1/models/{model}/versions",
    "GET /v1/models",
    "PATCH /v1/models/{model}",
    "PUT /v1/models/{model}/aliases/{alias}",
    "GET /v1/models/{model}/aliases/{alias}",
    "GET /v1/models/{model}/events",
    "GET /v1/routing/explain",
    "PUT /v1/pools/{pool}/versions/{model}/{version}",
    "GET /v2/models/{model}",
    "POST /v2/models/{model}/infer",
    "DELETE /v1/models/{model}/aliases/{alias}",
)
"""As a person would try them, on an empty registry."""


@pytest.fixture
def url(triton_factory: TritonFactory, tmp_path: Path) -> Iterator[str]:
    """A real `nightshift serve` as a person starts it, with the examples' model in its Triton."""
    triton = triton_factory(churn.lay_out(tmp_path / "models"), models=[churn.SERVED])
    (port,) = free_ports(1)
    environment = os.environ | {
        "NIGHTSHIFT_API_PORT": str(port),
        "NIGHTSHIFT_DATA_DIR": str(tmp_path),
        "NIGHTSHIFT_DATABASE_URL": f"sqlite:///{tmp_path / 'registry.db'}",
        "NIGHTSHIFT_TRITON_URLS": triton.grpc_url,
        "PYTHONPATH": str(ROOT),
    }
    command: list[str | Path] = [sys.executable, "-m", "cli.main", "serve"]
    process = GuardedProcess("the API", command, log=tmp_path / "log", env=environment, grace_s=20)
    url = f"http://{LOOPBACK}:{port}"
    with process:
        process.await_ready(lambda: _is_ready(url), deadline_s=300)
        yield url


def _is_ready(url: str) -> bool:
    try:
        return httpx.get(f"{url}/health/ready", timeout=2).status_code == 200
    except httpx.TransportError:
        return False


def test_the_page_shows_every_operation_and_its_examples_work(url: str, tmp_path: Path) -> None:
    """Nothing comes from elsewhere, nothing is complained of; a person only presses buttons."""
    paths = httpx.get(f"{url}/openapi.json", timeout=60).json()["paths"]
    described = {
        f"{method.upper()} {path}": f"operations-{each['tags'][0]}-{each['operationId']}"
        for path, item in paths.items()
        for method, each in item.items()
    }
    token = httpx.get(f"{url}/v1/token/demo", timeout=60).json()["token"]
    with chromium.opened_page(tmp_path) as page:
        page.call("Page.navigate", url=f"{url}/docs")
        count = "document.querySelectorAll('.opblock').length"
        page.await_value(f"{count} >= {len(described)}")
        shown = page.evaluate("[...document.querySelectorAll('.opblock')].map(each => each.id)")
        assert sorted(shown) == sorted(described.values())
        assert page.complaints == []
        page.evaluate(f"ui.preauthorizeApiKey('bearer', '{token}')")
        seen = {each: _executed(page, described[each]) for each in IN_ORDER}
        assert {each: status for each, status in seen.items() if not 200 <= status < 300} == {}
        assert [each for each in page.asked if not each.startswith((url, "data:"))] == []


def _executed(page: chromium.Page, block: str) -> int:
    """Open an operation, press its button, return the status that the page then shows."""
    place = f"document.getElementById('{block}')"
    page.evaluate(f"{place}.querySelector('.opblock-summary-control').click()")
    page.await_value(f"!!{place}.querySelector('button.execute')")
    page.evaluate(f"{place}.querySelector('button.execute').click()")
    status = f"{place}.querySelector('.live-responses-table tbody .response-col_status')?.innerText"
    return int(page.await_value(status + "?.match(/^\\d{3}/)?.[0]"))
