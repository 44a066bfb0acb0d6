"""Run the servers that the cases share."""

import os
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from benchmarks.cases.alias import ALIAS
from benchmarks.workloads.workload import Model, Workload
from cli.registration import Notes, register_served
from cli.servers import local_prefect
from cli.settings import LocalSettings
from cli.stack.triton import LocalTriton
from inference.settings import InferenceSettings
from registry.catalog import Catalog
from registry.settings import RegistrySettings
from registry.store import open_store


@dataclass(frozen=True, slots=True)
class Platform:
    """Prefect and a registry, for the whole run."""

    registry_url: str
    """SQLAlchemy URL of an empty registry."""
    environment: Mapping[str, str]
    """What a case needs to find them, beside this process's own environment."""


@contextmanager
def platform(local: LocalSettings) -> Iterator[Platform]:
    """Run Prefect and make a registry, for the length of the block."""
    with tempfile.TemporaryDirectory() as folder, local_prefect(local) as prefect:
        registry_url = f"sqlite:///{Path(folder) / 'registry.db'}"
        yield Platform(
            registry_url,
            {
                **os.environ,
                **prefect.client_environment(),
                "PREFECT_LOGGING_HANDLERS_CONSOLE_LEVEL": "CRITICAL",
                "NIGHTSHIFT_DATABASE_URL": registry_url,
            },
        )


@contextmanager
def serving(
    workload: Workload, model: Model, platform: Platform, local: LocalSettings
) -> Iterator[LocalTriton]:
    """Run a Triton server with the workload's model alone, registered, for the block's length."""
    triton = LocalTriton(
        model.repository.absolute(),
        local.triton_env_dir,
        models=[model.name],
        state_dir=local.servers_dir,
    )
    with triton:
        register(workload, model, platform, triton)
        yield triton


def register(workload: Workload, model: Model, platform: Platform, triton: LocalTriton) -> None:
    """Register the model that the server serves, under the alias that our case asks for."""
    store = open_store(RegistrySettings(database_url=platform.registry_url))
    try:
        catalog = Catalog(store)
        registered = register_served(
            catalog,
            workload.name,
            model=model.name,
            version="1",
            urls=[triton.grpc_url],
            notes=Notes({workload.input: workload.columns}, workload.about, "the benchmark"),
            settings=InferenceSettings(),
        )
        catalog.set_alias(workload.name, ALIAS, registered.version)
    finally:
        store.close()
