"""Call the API as its tests do."""

import itertools
from typing import Any

from httpx import AsyncClient, Response

from api.merge_patch import MEDIA_TYPE
from api.models.examples import DRAFT

_keys = itertools.count()


async def created(api: AsyncClient, path: str, body: dict[str, Any], key: str = "") -> Response:
    """Create with a key of its own, unless one is given."""
    key = key or f"test-{next(_keys)}"
    return await api.post(path, json=body, headers={"Idempotency-Key": key})


async def patched(
    api: AsyncClient, path: str, patch: dict[str, Any], if_match: str = "*"
) -> Response:
    """Change by a merge patch."""
    headers = {"If-Match": if_match, "Content-Type": MEDIA_TYPE}
    return await api.patch(path, json=patch, headers=headers)


async def deleted(api: AsyncClient, path: str, if_match: str = "*") -> Response:
    """Delete in whatever state it is."""
    return await api.delete(path, headers={"If-Match": if_match})


async def churn(api: AsyncClient, versions: int = 1) -> None:
    """Register the model `churn` with so many versions."""
    for number in range(1, versions + 1):
        draft = DRAFT | {"digest": f"sha256:{number:064x}", "tags": {"number": str(number)}}
        answer = await created(api, "/v1/models/churn/versions", draft)
        assert (answer.status_code, answer.json()["version"]) == (201, number)


def kind_of(answer: Response) -> tuple[int, str]:
    """Return the status with the last part of the problem's type."""
    assert answer.headers["content-type"] == "application/problem+json"
    problem = answer.json()
    assert problem["status"] == answer.status_code
    return answer.status_code, problem["type"].rpartition(":")[2]
