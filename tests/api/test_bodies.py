"""Bodies: what is not JSON, or could not be answered, is refused as a problem."""

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from fastapi import APIRouter, FastAPI
from fastapi.exceptions import RequestValidationError
from httpx import ASGITransport, AsyncClient
from pydantic import BaseModel

from api.bodies import StrictRoute, of_invalid_request


class Told(BaseModel):
    """What the route takes."""

    name: str
    number: float = 0


@pytest_asyncio.fixture
async def client() -> AsyncIterator[AsyncClient]:
    """A client of one route that answers with what it was told."""
    router = APIRouter(route_class=StrictRoute)

    @router.post("/told/{place}")
    async def told(place: int, told: Told) -> Told:
        return told

    app = FastAPI(exception_handlers={RequestValidationError: of_invalid_request})
    app.include_router(router)
    async with AsyncClient(transport=ASGITransport(app=app), base_url="http://here") as client:
        yield client


async def test_json_is_read(client: AsyncClient) -> None:
    """Also what is not ASCII."""
    answer = await client.post("/told/1", json={"name": "é\U0001f600", "number": 1.5})
    assert answer.json() == {"name": "é\U0001f600", "number": 1.5}


@pytest.mark.parametrize(
    "body",
    [
        b'{"name": "a", "number": NaN}',
        b'{"name": "a", "number": -Infinity}',
        b'{"name": "a", "number": 1e999}',
        rb'{"name": "\ud800"}',
        b'{"name": "\xff"}',
        b'{"name": "a"',
        b"[" * 5000 + b"]" * 5000,
    ],
)
async def test_what_is_not_json_is_malformed(client: AsyncClient, body: bytes) -> None:
    """Python's own reader takes the first four, and no answer could carry them."""
    headers = {"content-type": "application/json"}
    answer = await client.post("/told/1", content=body, headers=headers)
    assert answer.status_code == 400
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["type"] == "urn:nightshift:problem:malformed-json"


async def test_each_thing_that_may_not_be_so_is_named(client: AsyncClient) -> None:
    """Where it is and what is wrong with it, never what was sent: it may be a secret."""
    answer = await client.post("/told/one", json={"number": "secret"})
    assert answer.status_code == 422
    assert "secret" not in answer.text
    assert answer.json() == {
        "type": "urn:nightshift:problem:invalid-request",
        "title": "Invalid request",
        "status": 422,
        "detail": "path/place: Input should be a valid integer, unable to parse string as an "
        "integer; body/name: Field required; body/number: Input should be a valid number, unable "
        "to parse string as a number",
        "instance": "/told/one",
        "errors": [
            {
                "pointer": "path/place",
                "detail": "Input should be a valid integer, unable to parse string as an integer",
            },
            {"pointer": "body/name", "detail": "Field required"},
            {
                "pointer": "body/number",
                "detail": "Input should be a valid number, unable to parse string as a number",
            },
        ],
    }
