"""Run a real Triton server from its wheel, on loopback, for this process's life."""

import http.client
import json
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from cli.stack.errors import ServerEnded
from cli.stack.process import (
    LOOPBACK,
    READY_DEADLINE_S,
    GuardedProcess,
    LocalServer,
    free_ports,
    port_is_free,
    require_free,
)
from cli.stack.triton_wheel import TritonWheel
from inference import region_names

_NAME = "Triton"
_SHM = Path("/dev/shm")
# Another process may take a port between our asking for a free one and Triton's listening on it.
_PORT_TRIES = 3


@dataclass(frozen=True, slots=True)
class TritonPorts:
    """Where one Triton server listens, all on loopback."""

    http: int
    """HTTP and REST."""
    grpc: int
    """gRPC, which the platform uses."""
    metrics: int
    """Prometheus metrics."""


class LocalTriton(LocalServer):
    """A Triton server on loopback, with explicit model control, that never outlives us.

    A context manager. `stop` leaves no process and nothing in /dev/shm; neither does this
    process's death, however it comes.
    """

    def __init__(
        self,
        model_repository: Path,
        env_dir: Path,
        *,
        models: Sequence[str] = (),
        state_dir: Path,
        ports: TritonPorts | None = None,
        ready_deadline_s: float = READY_DEADLINE_S,
        grace_s: float = 8.0,
        extra_arguments: Sequence[str] = (),
        find_ports: Callable[[int], Sequence[int]] = free_ports,
    ) -> None:
        """Describe the server; nothing runs before `start`.

        `models` are loaded at start and awaited. Backends and the log are kept in `state_dir`.
        Without `ports` free ones are taken. `grace_s` is longer than Triton's own exit timeout.
        """
        super().__init__(_NAME)
        self._repository = model_repository
        self._wheel = TritonWheel.find(env_dir)
        self._models = tuple(models)
        self._state_dir = state_dir
        self._wanted_ports = ports
        self._ready_deadline_s = ready_deadline_s
        self._grace_s = grace_s
        self._extra = tuple(extra_arguments)
        self._find_ports = find_ports
        self._identity = region_names.new_name()
        self._ports: TritonPorts | None = ports

    @property
    def ports(self) -> TritonPorts:
        """Where it listens; known once started."""
        return self._known(self._ports)

    @property
    def grpc_url(self) -> str:
        """`grpc://host:port`, as the platform's settings take it."""
        return f"grpc://{LOOPBACK}:{self.ports.grpc}"

    @property
    def http_url(self) -> str:
        """`http://host:port` of the V2 REST protocol."""
        return f"http://{LOOPBACK}:{self.ports.http}"

    @property
    def shm_prefix(self) -> str:
        """How the names of this server's regions in /dev/shm begin."""
        return f"{self._identity}-"

    @property
    def log(self) -> Path:
        """What the server writes, models included."""
        return self._state_dir / "logs" / f"{self._identity}.log"

    def start(self) -> Self:
        """Start the server, await the models; after a `stop` or its death it may start again.

        Raises `PortTaken`, `ServerEnded` (with Triton's own words, for example why a model does
        not load) or `ServerNotReady`.
        """
        if self._process is not None and self._process.status() is None:
            raise RuntimeError(f"{_NAME} runs already")
        if self._wanted_ports is not None:
            ports = self._wanted_ports
            require_free(_NAME, (ports.http, ports.grpc, ports.metrics))
            self._start_on(ports)
            return self
        for tries_left in range(_PORT_TRIES - 1, -1, -1):
            ports = TritonPorts(*self._find_ports(3))
            try:
                self._start_on(ports)
            except ServerEnded:
                lost = not all(map(port_is_free, (ports.http, ports.grpc, ports.metrics)))
                if not (lost and tries_left):
                    raise
            else:
                break
        return self

    def _start_on(self, ports: TritonPorts) -> None:
        self._ports = ports
        _forget_lost_servers()
        process = GuardedProcess(
            _NAME,
            self._command(ports),
            log=self.log,
            env=os.environ,
            grace_s=self._grace_s,
            shm_prefix=self.shm_prefix,
        )
        process.start()
        self._process = process
        process.await_ready(self._is_ready, deadline_s=self._ready_deadline_s)

    def _command(self, ports: TritonPorts) -> list[str]:
        backends = self._wheel.lay_out_backends(self._state_dir)
        # `env` keeps the server's libraries out of its guard, which runs in our own Python.
        variables = [f"{name}={value}" for name, value in self._wheel.environment().items()]
        return [
            "env",
            *variables,
            str(self._wheel.program),
            f"--id={self._identity}",
            f"--model-repository={self._repository}",
            f"--backend-directory={backends}",
            f"--backend-config=python,shm-region-prefix-name={self.shm_prefix}",
            "--model-control-mode=explicit",
            *(f"--load-model={model}" for model in self._models),
            f"--http-address={LOOPBACK}",
            f"--grpc-address={LOOPBACK}",
            f"--metrics-address={LOOPBACK}",
            f"--http-port={ports.http}",
            f"--grpc-port={ports.grpc}",
            f"--metrics-port={ports.metrics}",
            # The default of 30 s would hold the ports that long after a stop.
            "--exit-timeout-secs=2",
            *self._extra,
        ]

    def _is_ready(self) -> bool:
        """Ask the server that answers on our port who it is, then each model."""
        try:
            status, body = self._ask("/v2")
            if status != 200 or json.loads(body).get("name") != self._identity:
                return False
            # Triton ends itself when its metrics port is taken, but only after it is ready.
            if self._ask("/metrics", port=self.ports.metrics)[0] != 200:
                return False
            return all(self.ready(model) for model in self._models)
        except (OSError, http.client.HTTPException, ValueError):
            return False

    def ready(self, model: str, version: str = "") -> bool:
        """Say whether the server would answer requests for `model` now."""
        path = f"/v2/models/{model}" + (f"/versions/{version}" if version else "") + "/ready"
        try:
            return self._ask(path)[0] == 200
        except (OSError, http.client.HTTPException):
            return False

    def _ask(self, path: str, *, port: int | None = None) -> tuple[int, bytes]:
        port = self.ports.http if port is None else port
        connection = http.client.HTTPConnection(LOOPBACK, port, timeout=2.0)
        try:
            connection.request("GET", path)
            answer = connection.getresponse()
            return answer.status, answer.read()
        finally:
            connection.close()


def _forget_lost_servers() -> None:
    """Remove the regions of servers that were killed together with their guards."""
    for region in _SHM.glob(f"{region_names.PREFIX}*-*-*-*"):
        if region_names.is_orphan("-".join(region.name.split("-")[:3])):
            region.unlink(missing_ok=True)
