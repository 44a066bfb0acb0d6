"""Drive a headless Chromium over its DevTools protocol."""

import itertools
import json
import os
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
from websockets.sync.client import connect
from websockets.sync.connection import Connection

from cli.stack.process import LOOPBACK, GuardedProcess

PROGRAM = shutil.which("chromium") or shutil.which("google-chrome")
"""The browser of this machine, None where it has none."""
_PATIENCE_S = 60.0


class Page:
    """A page of the browser."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._numbers = itertools.count(1)
        self.asked: list[str] = []
        """The address of every request that the page sent."""
        self.complaints: list[str] = []
        """What it wrote to its console as an error, and what it threw."""
        for part in ("Page", "Network", "Runtime", "Log"):
            self.call(f"{part}.enable")

    def call(self, method: str, **parameters: Any) -> dict[str, Any]:
        """Have the browser do something; return what it answers."""
        number = next(self._numbers)
        told = {"id": number, "method": method, "params": parameters}
        self._connection.send(json.dumps(told))
        while True:
            message = json.loads(self._connection.recv(timeout=_PATIENCE_S))
            if message.get("id") == number:
                result: dict[str, Any] = message["result"]
                return result
            self._note(message)

    def evaluate(self, expression: str) -> Any:
        """Return the value of an expression of JavaScript, awaited where it is a promise."""
        answer = self.call(
            "Runtime.evaluate", expression=expression, awaitPromise=True, returnByValue=True
        )
        assert "exceptionDetails" not in answer, (expression, answer)
        return answer["result"].get("value")

    def await_value(self, expression: str) -> Any:
        """Return its value as soon as that is not empty."""
        deadline = time.monotonic() + _PATIENCE_S
        while time.monotonic() < deadline:
            if value := self.evaluate(expression):
                return value
            time.sleep(0.05)
        raise AssertionError(f"never so: {expression}")

    def _note(self, event: dict[str, Any]) -> None:
        told = event["params"]
        match event["method"]:
            case "Network.requestWillBeSent":
                self.asked.append(told["request"]["url"])
            case "Runtime.exceptionThrown":
                self.complaints.append(json.dumps(told["exceptionDetails"]))
            case "Runtime.consoleAPICalled" if told["type"] in ("error", "assert"):
                self.complaints.append(json.dumps(told["args"]))
            case "Log.entryAdded" if told["entry"]["level"] == "error":
                self.complaints.append(told["entry"]["text"])


@contextmanager
def opened_page(folder: Path) -> Iterator[Page]:
    """Run a browser with a profile of its own in `folder`; give its empty page."""
    assert PROGRAM is not None
    profile = folder / "profile"
    command: list[str | Path] = [
        PROGRAM,
        "--headless=new",
        "--no-sandbox",
        "--disable-gpu",
        "--disable-dev-shm-usage",
        "--disable-background-networking",
        "--no-first-run",
        "--remote-debugging-port=0",
        f"--user-data-dir={profile}",
        "about:blank",
    ]
    chosen = profile / "DevToolsActivePort"
    log = folder / "chromium.log"
    process = GuardedProcess("Chromium", command, log=log, env=os.environ, grace_s=5)
    with process:
        process.await_ready(lambda: chosen.exists() and bool(chosen.read_text()), deadline_s=300)
        port = chosen.read_text().splitlines()[0]
        pages = httpx.get(f"http://{LOOPBACK}:{port}/json/list", timeout=60).json()
        (address,) = (each["webSocketDebuggerUrl"] for each in pages if each["type"] == "page")
        with connect(address, max_size=None) as connection:
            yield Page(connection)
