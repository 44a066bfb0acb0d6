"""The API's description: the committed copy is the one that is served, its examples are read."""

import json
import re
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from fastapi import FastAPI

from api.app import create_app
from api.gateway import demo
from api.gateway.scopes import ALL_SCOPES
from api.gateway.settings import TokenSettings
from api.problems import Kind, is_v2
from api.v2.kinds import NOT_OFFERED
from tests.api.conftest import OpenApi, settings_for
from tests.conftest import ROOT

NOBODY = "127.0.0.1:9"
COPY = ROOT / "docs" / "openapi.json"
OPEN = ("/health/", "/v2/health/", "/metrics", demo.PATH)


@pytest.fixture(scope="module")
def described(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What `/openapi.json` says in development."""
    return in_development(tmp_path_factory.mktemp("description") / "registry.db").openapi()


def in_development(database: Path) -> FastAPI:
    """Return the API as it is in development, with nothing opened."""
    settings = settings_for(database, NOBODY)
    return create_app(replace(settings, tokens=TokenSettings(environment="development")))


def test_the_committed_copy_is_what_is_served(described: dict[str, Any]) -> None:
    """A change of the API is seen in review: `make openapi` renews the copy."""
    assert json.loads(COPY.read_text()) == described, "run `make openapi` and commit the copy"


def test_production_serves_the_copy_but_for_what_is_marked(
    described: dict[str, Any], tmp_path: Path
) -> None:
    """That is the demo token alone."""
    served = create_app(settings_for(tmp_path / "registry.db", NOBODY)).openapi()
    kept, marked = {}, []
    for path, operations in described["paths"].items():
        if any(operation.get("x-development-only") for operation in operations.values()):
            marked.append(path)
        else:
            kept[path] = operations
    assert marked == [demo.PATH]
    assert served.pop("paths") == kept
    assert [tag for tag in described["tags"] if tag not in served["tags"]] == [
        tag for tag in described["tags"] if tag["name"] == "development"
    ]
    schemas = dict(described["components"]["schemas"])
    del schemas["DemoToken"]
    assert served["components"]["schemas"] == schemas


def test_every_kind_of_refusal_is_described(described: dict[str, Any]) -> None:
    """Whatever a program may be told has an example at some route."""
    told: set[str] = set()
    for operations in described["paths"].values():
        for operation in operations.values():
            for answer in operation["responses"].values():
                for content in answer.get("content", {}).values():
                    told |= set(content.get("examples", ()))
    kinds = {
        value.name
        for name, module in sys.modules.items()
        if name.partition(".")[0] == "api"
        for value in vars(module).values()
        if isinstance(value, Kind)
    }
    assert len(kinds) > 40
    assert kinds - told == {NOT_OFFERED.name}, "what is not offered is not described"


def test_every_route_tells_what_the_gateway_refuses(described: dict[str, Any]) -> None:
    """Too many requests, too many at a time, a body that is too large, too slow or compressed."""
    for path, operations in described["paths"].items():
        for method, operation in operations.items():
            if path.startswith(OPEN[:3]):
                continue
            expected = {"429", "503"}
            if "requestBody" in operation:
                expected |= {"408", "413", "415"}
            assert expected <= set(operation["responses"]), (method, path)


def test_every_route_names_its_scope_and_its_refusals(described: dict[str, Any]) -> None:
    """But those that watch the process; each refusal is a problem."""
    assert described["openapi"].startswith("3.1")
    for path, operations in described["paths"].items():
        for method, operation in operations.items():
            if path.startswith(OPEN):
                continue
            (scheme,) = operation["security"]
            assert set(scheme["bearer"]) < ALL_SCOPES, (method, path)
            assert scheme["bearer"], (method, path)
            assert {"401", "403", "422", "429", "503"} <= set(operation["responses"]), path
            for status, answer in operation["responses"].items():
                if int(status) >= 400:
                    media = "application/json" if is_v2(path) else "application/problem+json"
                    assert list(answer["content"]) == [media]


def test_every_body_has_an_example(described: dict[str, Any]) -> None:
    """Whoever opens /docs has something to send."""
    for path, operations in described["paths"].items():
        for operation in operations.values():
            for content in operation.get("requestBody", {}).get("content", {}).values():
                assert content["schema"].get("examples") or content.get("examples"), path


def test_every_part_of_a_path_is_filled_in(described: dict[str, Any]) -> None:
    """So is every header that must be there: a person only presses a button."""
    for path, operations in described["paths"].items():
        for method, operation in operations.items():
            for parameter in operation.get("parameters", ()):
                if parameter.get("required"):
                    assert "example" in parameter, (method, path, parameter["name"])


async def test_every_example_is_understood(open_api: OpenApi, described: dict[str, Any]) -> None:
    """Also where what it speaks of is not there: no body that is printed is malformed or wrong."""
    sent = [
        (method, path, media, example)
        for path, operations in described["paths"].items()
        for method, operation in operations.items()
        for media, content in operation.get("requestBody", {}).get("content", {}).items()
        for example in _examples(content)
    ]
    assert len(sent) >= 15
    async with open_api(NOBODY) as api:
        for method, path, media, example in sent:
            headers = {"If-Match": "*", "Content-Type": media, "Idempotency-Key": f"{method}{path}"}
            answer = await api.request(
                method, _filled(path), content=json.dumps(example), headers=headers
            )
            wrong = answer.status_code in (400, 415) or "errors" in answer.json()
            assert not wrong, (method, path, answer.text)


def _examples(content: dict[str, Any]) -> list[Any]:
    return content["schema"].get("examples") or [
        each["value"] for each in content.get("examples", {}).values()
    ]


async def test_the_page_needs_no_other_host(open_api: OpenApi) -> None:
    """Its script and style come from here, to whoever has no token as well."""
    async with open_api(NOBODY) as api:
        del api.headers["Authorization"]
        page = await api.get("/docs")
        assert page.status_code == 200
        assets = re.findall(r'(?:src|href)="([^"]+)"', page.text)
        assert len(assets) == 3
        for asset in assets:
            assert asset.startswith("/docs/")
            assert (await api.get(asset)).status_code == 200


def _filled(path: str) -> str:
    """Return the path with the examples of its parameters."""
    values = {"model": "churn", "version": 1, "alias": "champion", "pool": "default"}
    job = "1a2b3c4d5e6-0f1e2d3c"
    return path.format(**values, server="127.0.0.1:8001", job=job)
