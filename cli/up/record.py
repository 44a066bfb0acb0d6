"""Note what runs, for whoever looks from another terminal."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from cli.up.folder import write_private
from cli.up.identity import Identity


@dataclass(frozen=True, slots=True)
class Running:
    """One server."""

    name: str
    """`Triton 1`."""
    address: str
    """Where it is reached; empty for a worker."""
    port: int | None
    """Where it listens; None for a worker."""
    process: Identity
    """Its process."""
    log: str
    """The file that it writes."""


@dataclass(frozen=True, slots=True)
class Record:
    """The platform, as its supervisor knows it."""

    supervisor: Identity
    """The `nightshift up` that runs it."""
    ready: bool
    """Whether everything was ready."""
    servers: tuple[Running, ...]
    """What it has started, in the order of the table."""
    environment: Mapping[str, str]
    """The settings by which it is used; with secrets."""

    def write(self, file: Path) -> None:
        """Replace what is noted."""
        write_private(file, asdict(self))


def read(file: Path) -> Record | None:
    """Return what is noted; None when nothing is."""
    try:
        found: dict[str, Any] = json.loads(file.read_text())
    except FileNotFoundError:
        return None
    return Record(
        supervisor=Identity(**found["supervisor"]),
        ready=found["ready"],
        servers=_servers(found["servers"]),
        environment=found["environment"],
    )


def _servers(found: Sequence[dict[str, Any]]) -> tuple[Running, ...]:
    return tuple(
        Running(**{**server, "process": Identity(**server["process"])}) for server in found
    )
