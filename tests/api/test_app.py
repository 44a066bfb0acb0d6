"""The application: what it refuses, what it opens, what a fault looks like from outside."""

import logging
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from fastapi import FastAPI
from httpx import ASGITransport, AsyncClient
from starlette.middleware import Middleware
from starlette.responses import StreamingResponse
from starlette.types import Message

from api.app import create_app
from api.faults import Faults
from registry.errors import RegistryUnavailable
from tests.api.conftest import OpenApi, settings_for

NOBODY = "127.0.0.1:9"


@pytest.mark.parametrize(
    ("method", "path", "status", "title"),
    [
        ("GET", "/nothing", 404, "Not Found"),
        ("POST", "/health/live", 405, "Method Not Allowed"),
    ],
)
async def test_what_is_refused_is_a_problem(
    open_api: OpenApi, method: str, path: str, status: int, title: str
) -> None:
    """Unknown paths and wrong methods are problem details as well."""
    async with open_api(NOBODY) as api:
        answer = await api.request(method, path)
    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.headers.get("allow") == ("GET" if status == 405 else None)
    assert answer.json() == {
        "type": "about:blank",
        "title": title,
        "status": status,
        "instance": path,
    }


async def test_the_description_knows_its_problems(open_api: OpenApi) -> None:
    """OpenAPI tells what not being ready looks like."""
    async with open_api(NOBODY) as api:
        described = (await api.get("/openapi.json")).json()
    assert described["openapi"].startswith("3.1")
    answers = described["paths"]["/health/ready"]["get"]["responses"]
    assert set(answers) == {"200", "503"}
    assert list(answers["503"]["content"]) == ["application/problem+json"]


async def test_a_registry_that_cannot_be_opened_is_told_at_once(tmp_path: Path) -> None:
    """The application does not start: its settings are wrong."""
    (tmp_path / "file").touch()
    app = create_app(settings_for(tmp_path / "file" / "registry.db", NOBODY))
    with pytest.raises(RegistryUnavailable, match="NIGHTSHIFT_DATABASE_URL"):
        async with app.router.lifespan_context(app):
            pass


async def test_a_fault_is_logged_and_not_told(caplog: pytest.LogCaptureFixture) -> None:
    """The caller gets a bare 500; the log has the request with the traceback."""
    app = FastAPI(middleware=[Middleware(Faults)])

    @app.get("/odd")
    async def odd() -> None:
        raise ZeroDivisionError("secret")

    transport = ASGITransport(app=app)
    async with AsyncClient(transport=transport, base_url="http://nightshift") as client:
        with caplog.at_level(logging.ERROR):
            answer = await client.get("/odd")
    assert answer.status_code == 500
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json() == {
        "type": "about:blank",
        "title": "Internal Server Error",
        "status": 500,
        "instance": "/odd",
    }
    (record,) = [record for record in caplog.records if record.name == "api.faults"]
    assert record.fields == {"method": "GET", "path": "/odd"}  # type: ignore[attr-defined]  # set by `extra`
    assert record.exc_info is not None


async def test_an_answer_that_was_begun_is_broken_off() -> None:
    """Half an answer is never completed with something else."""
    app = FastAPI(middleware=[Middleware(Faults)])

    @app.get("/half")
    async def half() -> StreamingResponse:
        async def parts() -> AsyncIterator[bytes]:
            yield b"half"
            raise ZeroDivisionError

        return StreamingResponse(parts())

    transport = ASGITransport(app=app)
    async with AsyncClient(transport=transport, base_url="http://nightshift") as client:
        with pytest.raises(ZeroDivisionError):
            await client.get("/half")


async def test_other_protocols_pass_through() -> None:
    """Only HTTP has an answer to give; other faults are the server's to log."""

    async def inner(*_: object) -> None:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await Faults(inner)({"type": "websocket"}, _receive, _send)


async def _receive() -> Message:
    return {}


async def _send(_: Message) -> None:
    pass
