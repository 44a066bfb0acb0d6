"""Find the processes of flow runs, to kill them."""

import os
import signal
from pathlib import Path
from uuid import UUID

from prefect.client.schemas.objects import FlowRun

_RUN = "PREFECT__FLOW_RUN_ID="


def processes_of_runs() -> dict[UUID, list[int]]:
    """Return the processes that live of every flow run of a worker on this machine."""
    found: dict[UUID, list[int]] = {}
    for folder in Path("/proc").iterdir():
        if not folder.name.isdigit():
            continue
        try:
            variables = (folder / "environ").read_bytes().decode(errors="replace").split("\0")
        except OSError:  # it has ended, or is somebody else's
            continue
        for variable in variables:
            if variable.startswith(_RUN):
                found.setdefault(UUID(variable.removeprefix(_RUN)), []).append(int(folder.name))
    return found


def kill_run(run: FlowRun) -> bool:
    """End a run's processes by SIGKILL; whether there were any."""
    pids = processes_of_runs().get(run.id, [])
    for pid in pids:
        os.kill(pid, signal.SIGKILL)
    return bool(pids)
