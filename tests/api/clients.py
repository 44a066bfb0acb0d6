"""Be some of many clients of the API, as a process of its own."""

import json
import random
import sys
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, field
from itertools import cycle
from typing import Any

import httpx

from api.models.examples import DRAFT
from tests.api import tokens

MODELS = ("flights", "planes")
ALIAS = "champion"
POOL = "gpu"


@dataclass(slots=True)
class Seen:
    """What one client was told."""

    registered: list[tuple[str, int]] = field(default_factory=list)
    """Model and number of each version."""
    moved: list[tuple[str, int, int]] = field(default_factory=list)
    """Model, version left (0 for none) and version reached of each move."""
    stale: list[str] = field(default_factory=list)
    """Answers from before what was acknowledged already."""
    statuses: dict[str, int] = field(default_factory=dict)
    """How often each status was answered."""


class Client:
    """Registers, moves, places and deletes; asks each process of the API in turn."""

    def __init__(self, apis: list[httpx.Client], number: int, seed: str) -> None:
        begin = number % len(apis)
        self._apis: Iterator[httpx.Client] = cycle(apis[begin:] + apis[:begin])
        self._number = number
        self._chance = random.Random(f"{seed}:{number}")
        self.seen = Seen()

    def work(self, turns: int) -> Seen:
        """Do each thing once in every turn."""
        for turn in range(turns):
            model = self._chance.choice(MODELS)
            content = (self._number + 1) * 10_000 + turn
            version = self._registered(model, content)
            self._move(model, version)
            self._place(model, version)
            victim = self._chance.randint(1, version)
            self._asked("DELETE", f"/v1/models/{model}/versions/{victim}", {"If-Match": "*"})
        return self.seen

    def _registered(self, model: str, content: int) -> int:
        draft = DRAFT | {"digest": f"sha256:{content:064x}"}
        key = {"Idempotency-Key": f"{model}-{content}"}
        path = f"/v1/models/{model}/versions"
        first = self._asked("POST", path, key, draft)
        again = self._asked("POST", path, key, draft)
        if again.content != first.content:
            self.seen.stale.append(f"{path}: {again.text} instead of {first.text}")
        version: int = first.json()["version"]
        self.seen.registered.append((model, version))
        return version

    def _move(self, model: str, version: int) -> None:
        """Move the alias from where it was seen, until nobody else was faster."""
        path = f"/v1/models/{model}/aliases/{ALIAS}"
        while True:
            found = self._asked("GET", path)
            left = found.json()["version"] if found.status_code == 200 else 0
            move = {"version": version, "from_version": left}
            moved = self._asked("PUT", path, {}, move)
            if moved.status_code != 412:
                break
        if moved.status_code == 404:  # somebody deleted the version
            return
        self.seen.moved.append((model, left, version))
        # The next process answers this one.
        now = self._asked("GET", path)
        if now.json()["revision"] < moved.json()["revision"]:
            self.seen.stale.append(f"{path}: {now.text} after {moved.text}")

    def _place(self, model: str, version: int) -> None:
        """Have a pool wish for the version: then nobody can delete it."""
        path = f"/v1/pools/{POOL}/versions/{model}/{version}"
        if self._asked("PUT", path).status_code == 404:
            return
        version_path = f"/v1/models/{model}/versions/{version}"
        kept = self._asked("DELETE", version_path, {"If-Match": "*"})
        if kept.status_code != 409:
            self.seen.stale.append(f"{version_path}: {kept.status_code} although it was placed")
        self._asked("DELETE", path)

    def _asked(
        self,
        method: str,
        path: str,
        headers: Mapping[str, str] | None = None,
        body: dict[str, Any] | None = None,
    ) -> httpx.Response:
        answer = next(self._apis).request(method, path, headers=headers, json=body)
        status = f"{method} {answer.status_code}"
        self.seen.statuses[status] = self.seen.statuses.get(status, 0) + 1
        return answer


def main(first: int, count: int, turns: int, seed: str, *urls: str) -> None:
    """Run `count` clients, from number `first`, once somebody says so; print what they saw."""
    # The server closes a connection after five idle seconds: not at the moment of a request.
    kept = httpx.Limits(keepalive_expiry=1)
    apis = [
        httpx.Client(base_url=url, headers=tokens.bearer(), limits=kept, timeout=300)
        for url in urls
    ]
    clients = [Client(apis, first + number, seed) for number in range(count)]
    _say("ready")
    sys.stdin.readline()
    with ThreadPoolExecutor(count) as threads:
        seen = list(threads.map(lambda client: client.work(turns), clients))
    _say(json.dumps([asdict(each) for each in seen]))


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]), *sys.argv[4:])
