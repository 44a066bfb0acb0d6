"""Stand a process that may be killed before an S3 server."""

import json
import os
import signal
import sys
from pathlib import Path

from cli.stack.process import LOOPBACK, GuardedProcess, Startable, free_ports, port_is_free
from tests.conftest import ROOT


class S3Front(Startable):
    """What clients of an S3 server talk to; killed, it comes back on its port."""

    def __init__(self, server_url: str, folder: Path) -> None:
        self._server_port = server_url.rpartition(":")[2]
        self._orders = folder / "front-orders.json"
        self._log = folder / "front.log"
        (self._port,) = free_ports(1)
        self.url = f"http://{LOOPBACK}:{self._port}"
        self._process: GuardedProcess | None = None

    def start(self) -> None:
        """Take connections."""
        program = Path(__file__).with_name("s3_front.py")
        self._process = GuardedProcess(
            "the S3 front",
            [sys.executable, program, str(self._port), self._server_port, self._orders],
            log=self._log,
            env=os.environ | {"PYTHONPATH": str(ROOT)},
            grace_s=0.5,
        )
        self._process.start()
        self._process.await_ready(lambda: not port_is_free(self._port), deadline_s=20)

    def kill(self) -> None:
        """SIGKILL: every connection is cut."""
        assert self._process is not None
        os.kill(self._process.pid, signal.SIGKILL)
        self._process.stop()

    def stop(self) -> None:
        """End it."""
        if self._process is not None:
            self._process.stop()

    def order(self, point: str, skip: int, pid: int) -> None:
        """Have a process killed at a fail-point; see `s3_front.py`."""
        draft = self._orders.with_suffix(".draft")
        draft.write_text(json.dumps({"point": point, "skip": skip, "pid": pid}))
        draft.replace(self._orders)

    def forget(self) -> None:
        """Withdraw an order that was not carried out."""
        self._orders.unlink(missing_ok=True)
