"""What `nightshift backfill` says where Prefect does not do as it is asked."""

import threading
from collections.abc import Iterator
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from uuid import UUID

import pytest
from typer.testing import CliRunner

import flows.backfill
from cli.main import app
from cli.stack.process import LOOPBACK
from flows.backfill import Submitted

COMMAND = ["backfill", "--from", "2026-03-01", "--to", "2026-03-02"]
RUN = Submitted(UUID(int=7), "http://prefect/runs/7")


class Refusing(BaseHTTPRequestHandler):
    """Stands for what asks for a password before Prefect: a Prefect of ours asks for none."""

    def do_GET(self) -> None:  # the library's name
        self.send_error(HTTPStatus.FORBIDDEN)

    do_POST = do_GET  # noqa: N815  # the library's name

    def log_message(self, *_: Any) -> None:
        """Say nothing."""


@pytest.fixture
def refusing(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The address of a server that lets nobody in, which is the one that is named."""
    from prefect.settings import PREFECT_API_URL, temporary_settings

    with ThreadingHTTPServer((LOOPBACK, 0), Refusing) as server:
        url = f"http://{LOOPBACK}:{server.server_port}/api"
        threading.Thread(target=server.serve_forever).start()
        try:
            with temporary_settings({PREFECT_API_URL: url}):
                yield url
        finally:
            server.shutdown()


def test_a_refusal_is_one_line(refusing: str) -> None:
    """With what to look at."""
    done = CliRunner().invoke(app, COMMAND)
    told = f"error: Prefect's server at {refusing} refuses (403 Forbidden): see to PREFECT_API_URL"
    assert (done.exit_code, done.stderr.count("\n")) == (1, 1)
    assert done.stderr.startswith(told)


def test_ctrl_c_ends_the_waiting_only(monkeypatch: pytest.MonkeyPatch) -> None:
    """What was handed over goes on, and the command says how to see and to end it."""

    def interrupted(*_: object, submitted: Any, **__: object) -> str:
        submitted(RUN)
        raise KeyboardInterrupt

    monkeypatch.setattr(flows.backfill, "submit_backfill", interrupted)
    done = CliRunner().invoke(app, COMMAND)
    assert done.exit_code == 130
    assert done.stdout == f"2 nights handed to nightly/nightly: {RUN.page}\n"
    assert done.stderr.startswith("the nights go on without you")
    assert f"`prefect flow-run cancel {RUN.id}` ends them" in done.stderr
