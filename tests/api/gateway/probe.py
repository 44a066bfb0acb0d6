"""Start the probe application."""

import http.client
import os
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from cli.stack.process import LOOPBACK, READY_DEADLINE_S, GuardedProcess, free_ports
from tests.api import tokens
from tests.conftest import ROOT

_APP = "tests.api.gateway.probe_app"


@dataclass(frozen=True, slots=True)
class Probe:
    """A running one."""

    port: int
    """Where it listens on loopback."""
    pid: int
    """Its process."""

    @property
    def url(self) -> str:
        """`http://host:port`."""
        return f"http://{LOOPBACK}:{self.port}"

    def rss_bytes(self, field: str = "VmRSS") -> int:
        """Return the memory that it holds, or the most that it held with `VmHWM`."""
        status = Path(f"/proc/{self.pid}/status").read_text()
        found = re.search(rf"{field}:\s+(\d+) kB", status)
        assert found
        return int(found[1]) * 1024


@contextmanager
def probe(folder: Path, *, port: int | None = None, **settings: str) -> Iterator[Probe]:
    """Run it with `NIGHTSHIFT_…` variables for the length of the block."""
    listens = port or free_ports(1)[0]
    variables = {
        "API_PORT": str(listens),
        "API_DRAIN_NOTICE_S": "0",
        "DATABASE_URL": f"sqlite:///{folder / 'registry.db'}",
        "ENVIRONMENT": "production",
        "JWT_SECRET": tokens.SECRET,
        "QUOTA_ADDRESS": "none",
        "QUOTA_SUBJECT": "none",
        "TRITON_URLS": f"{LOOPBACK}:9",
        **settings,
    }
    environment = {f"NIGHTSHIFT_{name}": value for name, value in variables.items()}
    process = GuardedProcess(
        "the probe",
        [sys.executable, "-m", _APP],
        log=folder / "probe.log",
        env={**os.environ, "PYTHONPATH": str(ROOT), **environment},
        grace_s=5,
    )
    with process:
        process.await_ready(lambda: _answers(listens), deadline_s=READY_DEADLINE_S)
        yield Probe(listens, process.pid)


def _answers(port: int) -> bool:
    connection = http.client.HTTPConnection(LOOPBACK, port, timeout=2)
    try:
        connection.request("GET", "/health/live")
        return connection.getresponse().status == 200
    except OSError:
        return False
    finally:
        connection.close()
