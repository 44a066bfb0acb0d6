"""Probe the servers of a pool in the background, model by model."""

import asyncio
from collections.abc import Callable, Sequence

from inference.admission import Admission
from inference.attempt import Attempts
from inference.breaker import State
from inference.route import ModelKey
from inference.router import Router
from inference.server import Server
from inference.settings import InferenceSettings

_LIVENESS: ModelKey = ("", "")
"""Stands for no model: the server itself."""
_MISSED_PROBES = 2
"""Probes without an answer after which requests in flight are given up: one may be lost while
either side is busy."""


class Watch:
    """Keep the router told of which server has which model ready.

    A server that answers no probe gets no requests while another one can be asked; when it
    misses the next probe as well, what it has in flight is given up, to be asked for there. The
    last server keeps both: its answers may still come, and a request ends at its own time limit.

    A server whose breaker is open and that is seen to come back (away at one probe, ready at
    a later one) may be tried at once, as Envoy un-ejects; one that says ready all along but
    does not answer requests keeps its full time.
    """

    def __init__(
        self,
        servers: Sequence[Server],
        router: Router,
        admission: Admission,
        attempts: Attempts,
        settings: InferenceSettings,
        *,
        clock: Callable[[], float],
    ) -> None:
        self._servers = servers
        self._router = router
        self._admission = admission
        self._attempts = attempts
        self._settings = settings
        self._clock = clock
        self._watched: dict[ModelKey, None] = {}
        self._away: set[tuple[int, ModelKey]] = set()
        self._missed = [0] * len(servers)

    def add(self, key: ModelKey) -> None:
        """Probe the model from now on."""
        self._watched[key] = None

    def add_servers(self) -> None:
        """Probe whether the servers answer at all, whatever they serve."""
        self._watched[_LIVENESS] = None

    async def run(self) -> None:
        """Probe until cancelled."""
        while True:
            for key in tuple(self._watched):
                await self.ask_all(key)
            await asyncio.sleep(self._settings.probe_interval_s)

    async def ask_all(self, key: ModelKey) -> bool:
        """Probe the model on every server at once; True if any has it ready."""
        async with asyncio.TaskGroup() as group:
            asked = [
                group.create_task(self._ask(index, key)) for index in range(len(self._servers))
            ]
        self._admission.dispatch()
        return any(task.result() for task in asked)

    async def _ask(self, index: int, key: ModelKey) -> bool:
        server = self._servers[index]
        if key == _LIVENESS:
            ready = live = await server.live()
        else:
            # Both at once: each takes the whole wait where nothing answers.
            async with asyncio.TaskGroup() as asking:
                readiness = asking.create_task(server.model_ready(*key))
                liveness = asking.create_task(server.live())
            ready, live = readiness.result(), liveness.result()
        self._note(index, key, ready=ready, live=ready or live)
        return ready

    def _note(self, index: int, key: ModelKey, *, ready: bool, live: bool) -> None:
        """Tell the router: ready, live without the model, or away, which counts as a failure."""
        now = self._clock()
        breaker = self._router.routes[index].breaker
        self._note_silence(index, key, now, silent=not live)
        if not ready:
            self._away.add((index, key))
            if live:
                self._router.mark(index, key, now, ready=False)
            else:
                self._router.blame(index, now)
            return
        self._router.mark(index, key, now, ready=True)
        if (index, key) in self._away and breaker.state(now) is State.OPEN:
            breaker.back(now)
        self._away.discard((index, key))

    def _note_silence(self, index: int, key: ModelKey, now: float, *, silent: bool) -> None:
        # Only of what is asked again: nothing else would take the mark back.
        if key not in self._watched:
            return
        self._router.routes[index].silent = silent
        self._missed[index] = self._missed[index] + 1 if silent else 0
        if self._missed[index] >= _MISSED_PROBES and self._router.can_spare(index, key, now):
            self._attempts.give_up(index)
