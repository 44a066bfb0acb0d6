"""Talk to a running API, one command's worth."""

import json
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from itertools import islice
from typing import Any

import httpx

from cli.settings import ApiClientSettings
from cli.stack.errors import StackError

_MERGE_PATCH = "application/merge-patch+json"
_LOAD_TIMEOUT_S = 330.0
"""Longest wait for an answer: a little more than servers may take to load a model."""
_STREAM_TIMEOUT_S = 60.0
"""Longest silence of a stream, which says something every quarter of a minute."""
_PAGE_SIZE = 200


class ApiNotConfigured(StackError):
    """A command needs an API and none is named."""

    def __init__(self) -> None:
        super().__init__(
            "pools and jobs are managed through the API: start `nightshift serve`, then set "
            "NIGHTSHIFT_API_URL, or give --api URL"
        )


class ApiAway(StackError):
    """The API does not answer."""

    def __init__(self, url: str, cause: str) -> None:
        super().__init__(
            f"the API at {url} does not answer ({cause}): start `nightshift serve`, or correct "
            "NIGHTSHIFT_API_URL"
        )


class ApiRefused(StackError):
    """The API does not do what was asked; its words say why."""

    def __init__(self, status: int, words: str) -> None:
        super().__init__(words)
        self.status = status
        """The HTTP status."""


class Api:
    """Sends requests with the token that the settings name; raises `ApiAway`, `ApiRefused`."""

    def __init__(self, client: httpx.Client) -> None:
        self._client = client

    def get(self, path: str, **query: Any) -> dict[str, Any]:
        """Return what is there."""
        return self._body("GET", path, params=_given(query))

    def tag(self, path: str) -> str:
        """Return the entity tag of what is there."""
        return self._send("GET", path).headers["ETag"]

    def items(
        self, path: str, *, limit: int | None = None, **query: Any
    ) -> Iterator[dict[str, Any]]:
        """Give every item of a list, or the first `limit`, page by page."""
        return islice(self._every_item(path, query, min(limit or _PAGE_SIZE, _PAGE_SIZE)), limit)

    def create(
        self, path: str, body: Mapping[str, Any], *, key: str | None = None
    ) -> dict[str, Any]:
        """Create, under a key of its own: a lost answer can be asked for again."""
        headers = {"Idempotency-Key": key or str(uuid.uuid4())}
        return self._body("POST", path, json=body, headers=headers)

    def act(self, path: str, *, why: str = "") -> dict[str, Any]:
        """Do what the path says; safe to repeat."""
        return self._body("POST", path, params=_given({"why": why}))

    def stream(self, path: str) -> Iterator[dict[str, Any]]:
        """Give the data of each server-sent event until the API ends the stream."""
        try:
            with self._client.stream("GET", path, timeout=_STREAM_TIMEOUT_S) as answer:
                if not answer.is_success:
                    answer.read()
                    raise ApiRefused(answer.status_code, _words(answer))
                for line in answer.iter_lines():
                    if line.startswith("data: "):
                        yield json.loads(line.removeprefix("data: "))
        except httpx.HTTPError as error:
            raise self._away(error) from error

    def put(
        self, path: str, body: Mapping[str, Any] | None = None, *, why: str = "", **headers: str
    ) -> dict[str, Any]:
        """Put what `body` says there; names of headers have `_` for `-`."""
        told = {name.replace("_", "-"): value for name, value in headers.items()}
        return self._body("PUT", path, json=body, headers=told, params=_given({"why": why}))

    def patch(
        self, path: str, body: Mapping[str, Any], *, if_match: str | None = None, why: str = ""
    ) -> dict[str, Any]:
        """Change what is there, in the state that `if_match` names or else as it is now."""
        headers = {"If-Match": if_match or self.tag(path), "Content-Type": _MERGE_PATCH}
        return self._body("PATCH", path, json=body, headers=headers, params=_given({"why": why}))

    def delete(self, path: str, *, why: str = "") -> dict[str, Any]:
        """Take away what is there now; returns what is told of it."""
        return self._body("DELETE", path, headers={"If-Match": "*"}, params=_given({"why": why}))

    def _every_item(
        self, path: str, query: Mapping[str, Any], page_size: int
    ) -> Iterator[dict[str, Any]]:
        cursor: dict[str, str] = {}
        while True:
            page = self.get(path, **query, **cursor, page_size=page_size)
            yield from page["items"]
            if page["next_cursor"] is None:
                return
            cursor = {"cursor": page["next_cursor"]}

    def _body(self, method: str, path: str, **request: Any) -> dict[str, Any]:
        answer = self._send(method, path, **request)
        found: dict[str, Any] = answer.json() if answer.content else {}
        return found

    def _send(self, method: str, path: str, **request: Any) -> httpx.Response:
        try:
            answer = self._client.request(method, path, **request)
        except httpx.HTTPError as error:
            raise self._away(error) from error
        if answer.is_success:
            return answer
        raise ApiRefused(answer.status_code, _words(answer))

    def _away(self, error: httpx.HTTPError) -> ApiAway:
        cause = " ".join(str(error).split()) or type(error).__name__
        return ApiAway(str(self._client.base_url), cause)


@contextmanager
def opened_api() -> Iterator[Api]:
    """Give the API that the environment names; raises `ApiNotConfigured` where it names none."""
    settings = ApiClientSettings()
    if settings.url is None:
        raise ApiNotConfigured
    token = settings.token.get_secret_value() if settings.token else ""
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    with httpx.Client(base_url=settings.url, headers=headers, timeout=_LOAD_TIMEOUT_S) as client:
        yield Api(client)


def _given(query: Mapping[str, Any]) -> dict[str, Any]:
    """Return the parts of a query that say something."""
    return {name: value for name, value in query.items() if value not in (None, "", [])}


def _words(answer: httpx.Response) -> str:
    try:
        problem = answer.json()
        words = problem.get("detail") or problem["title"]
    except (ValueError, KeyError, AttributeError):
        words = f"it answers {answer.status_code} and no problem details: is that Nightshift's API?"
    if answer.status_code == httpx.codes.UNAUTHORIZED:
        words += "; set NIGHTSHIFT_API_TOKEN, in development to what `nightshift token` prints"
    return f"the API says: {words}"
