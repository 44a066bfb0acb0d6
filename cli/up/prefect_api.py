"""Ask Prefect's server what `up` needs of it, without the cost of its library."""

import time
from collections.abc import Sequence
from typing import Any

import httpx

from cli.up.errors import PrefectRefused

WORK_POOL = "nightshift"
COORDINATORS, SCORERS = "coordinator", "scorer"
"""The work queues: of runs that wait for others, of those others (`prefect.yaml`)."""
_UNDER_WAY = ("RUNNING", "PENDING", "CANCELLING")
_TIMEOUT_S = 60.0
"""Its first answers take seconds on a machine that starts everything else at the same time."""
_PAGE = 200
_BUSY_S, _PAUSE_S = 60.0, 0.2
"""How long a server may be busy, many times what its longest write takes; between two tries."""


class PrefectApi:
    """One Prefect server; raises `PrefectRefused`. A context manager."""

    def __init__(self, api_url: str) -> None:
        self._client = httpx.Client(base_url=api_url, timeout=_TIMEOUT_S)

    def __enter__(self) -> "PrefectApi":
        return self

    def __exit__(self, *error: object) -> None:
        self._client.close()

    def have_pool(self, *, coordinators: int) -> None:
        """Have the work pool with its two queues, taking runs; no worker of earlier is listed.

        At most `coordinators` runs of the first queue go at a time.
        """
        self._ask("POST", "/work_pools/", {"name": WORK_POOL, "type": "process"}, fine=(409,))
        self.pause(False)
        for name, limit in ((COORDINATORS, coordinators), (SCORERS, None)):
            place = f"/work_pools/{WORK_POOL}/queues"
            self._ask("POST", place, {"name": name}, fine=(409,))
            self._ask("PATCH", f"{place}/{name}", {"concurrency_limit": limit})
        for worker in self._workers():
            self._ask("DELETE", f"/work_pools/{WORK_POOL}/workers/{worker['name']}", fine=(404,))

    def pause(self, paused: bool) -> None:
        """Have workers take no more runs, or take them again."""
        self._ask("PATCH", f"/work_pools/{WORK_POOL}", {"is_paused": paused})

    def online(self, worker: str) -> bool:
        """Say whether the worker has told of itself."""
        return any(
            each["name"] == worker and each["status"] == "ONLINE" for each in self._workers()
        )

    def deployments(self) -> set[str]:
        """Return the names of what can be run."""
        found = self._ask("POST", "/deployments/filter", {"limit": _PAGE})
        return {each["name"] for each in found}

    def under_way(self) -> Sequence[dict[str, Any]]:
        """Return the runs of the pool that some worker has taken and that have not ended."""
        wanted = {
            "flow_runs": {"state": {"type": {"any_": list(_UNDER_WAY)}}},
            "work_pools": {"name": {"any_": [WORK_POOL]}},
            "limit": _PAGE,
        }
        found: list[dict[str, Any]] = self._ask("POST", "/flow_runs/filter", wanted)
        return found

    def crash_all(self, why: str) -> int:
        """Say of every run under way that it is dead, as it is when no worker runs."""
        told: set[str] = set()
        while fresh := [run["id"] for run in self.under_way() if run["id"] not in told]:
            for run_id in fresh:
                state = {"type": "CRASHED", "name": "Crashed", "message": why}
                place = f"/flow_runs/{run_id}/set_state"
                self._ask("POST", place, {"state": state, "force": True})
            told.update(fresh)
        return len(told)

    def _workers(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self._ask(
            "POST", f"/work_pools/{WORK_POOL}/workers/filter", {"limit": _PAGE}
        )
        return found

    def _ask(
        self, method: str, path: str, body: object = None, *, fine: tuple[int, ...] = ()
    ) -> Any:
        answer = self._send(method, path, body)
        if not answer.is_success and answer.status_code not in fine:
            raise PrefectRefused(f"{method} {path}", answer.text)
        return answer.json() if answer.content else None

    def _send(self, method: str, path: str, body: object) -> httpx.Response:
        """Send what may be sent again: on SQLite a server is busy at times, and says so."""
        deadline = time.monotonic() + _BUSY_S
        try:
            while True:
                answer = self._client.request(method, path, json=body)
                busy = answer.status_code == httpx.codes.SERVICE_UNAVAILABLE
                if not busy or time.monotonic() > deadline:
                    return answer
                time.sleep(_PAUSE_S)
        except httpx.HTTPError as error:
            raise PrefectRefused(f"{method} {path}", str(error) or type(error).__name__) from error
