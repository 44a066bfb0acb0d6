"""What the API's description prints works as printed: each operation is sent with its examples."""

import json
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from httpx import ASGITransport, AsyncClient

from api.app import create_app
from api.jobs.settings import JobsSettings
from api.models.examples import DRAFT
from tests.api import churn, tokens
from tests.api.calls import created
from tests.api.conftest import settings_for
from tests.conftest import ROOT, TritonFactory

NOBODY = "127.0.0.1:9"
PRINTED_SERVER = "127.0.0.1:8001"
"""Where the examples have a Triton; a test's is elsewhere."""
MODEL, POOL = "/v1/models/{model}", "/v1/pools/{pool}"
VERSION, ALIAS, SERVER = (
    f"{MODEL}/versions/{{version}}",
    f"{MODEL}/aliases/{{alias}}",
    f"{POOL}/servers/{{server}}",
)
PLACED, ONLINE = f"{POOL}/versions/{{model}}/{{version}}", "/v2/models/{model}"
REGISTERED = (
    *("GET /health/live", "GET /health/ready"),
    *("POST /v1/models", "GET /v1/models", f"POST {MODEL}/versions", f"GET {MODEL}"),
    *(f"PATCH {MODEL}", f"GET {MODEL}/versions", f"GET {VERSION}", f"PUT {ALIAS}"),
    *(f"GET {MODEL}/aliases", f"GET {ALIAS}", f"GET {MODEL}/events", f"GET {VERSION}/approvals"),
)
"""What a person tries first, on an empty registry."""
APPROVED = (f"POST {VERSION}/approvals",)
"""What somebody else does, who did not register the version."""
SERVED = (
    *(f"PUT {ALIAS}/protection", f"DELETE {ALIAS}/protection"),
    *("POST /v1/pools", "GET /v1/pools", f"GET {POOL}", f"PATCH {POOL}"),
    *(f"POST {POOL}/servers", f"GET {POOL}/servers", f"GET {SERVER}"),
    *(f"PUT {PLACED}", f"GET {POOL}/versions", f"GET {POOL}/events"),
    *("GET /v2", "GET /v2/health/live", "GET /v2/health/ready", "POST /v2/repository/index"),
    *("POST /v2/repository/models/{model}/load", "GET /v2/models/stats"),
    *(
        f"{method} {ONLINE}{version}{what}"
        for version in ("", "/versions/{version}")
        for method, what in (
            *(("GET", ""), ("GET", "/ready"), ("GET", "/config"), ("GET", "/stats")),
            ("POST", "/infer"),
        )
    ),
    "GET /v1/routing/explain",
)
"""What follows with a Triton that has the model."""
SPLIT = (f"PUT {ALIAS}/route", f"GET {ALIAS}/route", f"DELETE {ALIAS}/route")
"""What needs the second version that its example names."""
TAKEN_AWAY = (
    *("POST /v2/repository/models/{model}/unload", f"DELETE {PLACED}"),
    *(f"PATCH {SERVER}", f"DELETE {SERVER}", f"DELETE {POOL}"),
    *(f"DELETE {ALIAS}", f"DELETE {VERSION}", f"DELETE {MODEL}"),
)
JOBS = ("POST /v1/jobs", "GET /v1/jobs")
TOO_EARLY = (f"GET {ALIAS}/at",)
"""404: the alias did not exist at the moment that is printed."""
WITHOUT_SHADOW = (f"GET {ALIAS}/route/comparison",)
"""404: the route that is printed has no shadow."""
NO_JOBS_ID = (
    *("GET /v1/jobs/{job}", "GET /v1/jobs/{job}/events", "GET /v1/jobs/{job}/live"),
    *("POST /v1/jobs/{job}/cancel", "POST /v1/jobs/{job}/resume"),
    "POST /v1/jobs/{job}/quarantine/retry",
)
"""404: each job's id is made up anew."""
ELSEWHERE = {"GET /v1/token/demo": "in development alone: tests/api/gateway/test_demo.py"}
DESCRIBED: dict[str, Any] = json.loads((ROOT / "docs" / "openapi.json").read_text())


class Person:
    """Somebody who presses the buttons of `/docs`, and changes nothing but a server's address."""

    def __init__(self, app: AsyncClient, name: str, *, server: str) -> None:
        self._app = app
        self._token = tokens.bearer(subject=name)
        self._server = server

    async def press(self, operations: Iterable[str], *, expected: str = "2") -> None:
        """Send each operation with its examples; it is answered as it is described.

        `expected` is how its status begins.
        """
        for operation in operations:
            method, path = operation.split()
            described = DESCRIBED["paths"][path][method.lower()]
            request = self._printed(described, path)
            answer = await self._app.request(method, **request)
            statuses = [each for each in described["responses"] if each.startswith(expected)]
            assert str(answer.status_code) in statuses, (operation, answer.text)

    def _printed(self, described: dict[str, Any], path: str) -> dict[str, Any]:
        """Return the request that the page would send."""
        given: dict[str, dict[str, str]] = {"path": {}, "query": {}, "header": {}}
        for parameter in described.get("parameters", ()):
            if "example" in parameter:
                given[parameter["in"]][parameter["name"]] = self._there(parameter["example"])
        body = described.get("requestBody", {}).get("content", {})
        for media, content in body.items():
            given["header"]["Content-Type"] = media
            example = content["schema"]["examples"][0]
            return self._request(path, given, self._there(json.dumps(example)))
        return self._request(path, given, None)

    def _there(self, example: object) -> str:
        return str(example).replace(PRINTED_SERVER, self._server)

    def _request(
        self, path: str, given: dict[str, dict[str, str]], content: str | None
    ) -> dict[str, Any]:
        return {
            "url": path.format(**given["path"]),
            "params": given["query"],
            "headers": given["header"] | self._token,
            "content": content,
        }


@asynccontextmanager
async def _opened(database: Path, *servers: str) -> AsyncIterator[AsyncClient]:
    jobs = JobsSettings(prefect_api_url=f"http://{NOBODY}/api")  # they wait
    app = create_app(replace(settings_for(database, *servers), jobs=jobs))
    async with (
        app.router.lifespan_context(app),
        AsyncClient(transport=ASGITransport(app=app), base_url="http://nightshift") as client,
    ):
        yield client


@pytest.mark.triton
async def test_every_example_works_as_printed(
    database: Path, triton_factory: TritonFactory, tmp_path: Path
) -> None:
    """On an empty registry with the examples' Triton, in the order in which one would try them."""
    triton = triton_factory(churn.lay_out(tmp_path / "models"), models=[churn.SERVED])
    server = triton.grpc_url.removeprefix("grpc://")
    async with _opened(database, triton.grpc_url) as app:
        ada, eve = (Person(app, name, server=server) for name in ("ada", "eve"))
        await ada.press(REGISTERED)
        await ada.press(TOO_EARLY, expected="404")
        await eve.press(APPROVED)
        await ada.press(SERVED)
        app.headers.update(tokens.bearer())
        await created(app, "/v1/models/churn/versions", DRAFT | {"digest": f"sha256:{1:064x}"})
        await ada.press(SPLIT[:2])
        await ada.press(WITHOUT_SHADOW, expected="404")
        await ada.press(SPLIT[2:])
        await ada.press(TAKEN_AWAY)


async def test_every_example_of_jobs_works_as_printed(database: Path) -> None:
    """Where its model is live; of the others each is told that there is no such job."""
    async with _opened(database, NOBODY) as app:
        ada = Person(app, "ada", server=NOBODY)
        await ada.press([f"POST {MODEL}/versions", f"PUT {ALIAS}", *JOBS])
        await ada.press(NO_JOBS_ID, expected="404")


def test_no_operation_is_left_out() -> None:
    """Each one that is described is sent, or is told here with its reason."""
    described = {
        f"{method.upper()} {path}"
        for path, operations in DESCRIBED["paths"].items()
        for method in operations
    }
    sent = (*REGISTERED, *APPROVED, *SERVED, *SPLIT, *TAKEN_AWAY, *JOBS)
    refused = (*TOO_EARLY, *WITHOUT_SHADOW, *NO_JOBS_ID)
    assert sorted((*sent, *refused, *ELSEWHERE)) == sorted(described)
