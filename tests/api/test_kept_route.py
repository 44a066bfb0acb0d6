"""Reads that are asked for most: declared, refused and answered like every other route."""

from typing import Annotated, Any

import pytest
from fastapi import APIRouter, Depends, Query, Request, Response

from api.gateway.authorization import requires
from api.kept_route import KeptRoute
from tests.api.conftest import OpenApi

NOBODY = "127.0.0.1:9"


async def plain(request: Request, name: str) -> Response:
    """Take what is in the path."""
    raise NotImplementedError


async def asking(request: Request, name: str, more: Annotated[int, Query()] = 1) -> Response:
    """Take more than that."""
    raise NotImplementedError


def add(endpoint: Any, *dependencies: Any) -> None:
    """Declare a route."""
    router = APIRouter(route_class=KeptRoute)
    router.get("/{name}", dependencies=dependencies)(endpoint)


def test_only_what_its_path_holds_can_be_taken() -> None:
    """Anything else would silently not be read: it is an error from the start."""
    add(plain, requires("models:read"))
    with pytest.raises(TypeError, match="takes more than its path"):
        add(asking, requires("models:read"))
    with pytest.raises(TypeError, match="is not from requires"):
        add(plain, requires("models:read"), Depends(plain))


async def test_a_path_that_is_none_is_refused_alike(open_api: OpenApi) -> None:
    """With a pointer to each part that may not be so, as from the framework's own routes."""
    async with open_api(NOBODY) as api:
        kept = await api.get("/v1/models/ch~urn/versions/0")
        other = await api.get("/v1/models/ch~urn/versions/0/approvals")
    assert kept.status_code == other.status_code == 422
    assert kept.json()["errors"] == other.json()["errors"]
    assert [each["pointer"] for each in kept.json()["errors"]] == ["path/model", "path/version"]
