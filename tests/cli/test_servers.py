"""Check which servers a command starts, and that none outlives it."""

import os
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from cli.servers import servers
from cli.settings import LocalSettings
from cli.stack.errors import NotAnswering, StackError
from tests.cli.stack.processes import runs
from tests.cli.test_configured import answering


@pytest.fixture
def local(
    tmp_path: Path, triton_env: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[LocalSettings]:
    """An empty machine, on which only Prefect's server is known."""
    monkeypatch.delenv("NIGHTSHIFT_TRITON_URLS", raising=False)
    with answering(200, b"true") as api:
        monkeypatch.setenv("PREFECT_API_URL", api)
        yield LocalSettings(
            data_dir=tmp_path / "data", model_repository=None, triton_env=triton_env.absolute()
        )


def test_configured_servers_are_taken(
    local: LocalSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing is started, and nothing is written; that one is away is the pool's business."""
    with socket.create_server(("127.0.0.1", 0)) as there:
        url = f"127.0.0.1:{there.getsockname()[1]}"
        monkeypatch.setenv("NIGHTSHIFT_TRITON_URLS", f"127.0.0.1:9,{url}")
        with servers(local, models=[]) as urls:
            assert urls == ("127.0.0.1:9", url)
    assert not local.data_dir.exists()


@pytest.mark.parametrize("setting", ["NIGHTSHIFT_TRITON_URLS", "PREFECT_API_URL"])
def test_a_configured_server_that_is_away_is_told_first(
    local: LocalSettings, monkeypatch: pytest.MonkeyPatch, setting: str
) -> None:
    """No other is started for nothing."""
    away = {"NIGHTSHIFT_TRITON_URLS": "127.0.0.1:9", "PREFECT_API_URL": "http://127.0.0.1:9/api"}
    monkeypatch.setenv(setting, away[setting])
    with pytest.raises(NotAnswering, match=setting), servers(local, models=[]):
        raise AssertionError("not reached")
    assert not local.data_dir.exists()


@pytest.mark.triton
def test_a_missing_server_is_started_for_the_block(local: LocalSettings) -> None:
    """The environment names it as long as it runs."""
    before, others = dict(os.environ), children()
    with servers(local, models=[]) as (url,):
        assert os.environ["NIGHTSHIFT_TRITON_URLS"] == url
        pids = children() - others
        assert pids
    assert dict(os.environ) == before
    assert not [pid for pid in pids if runs(pid)]


@pytest.mark.triton
def test_an_error_inside_ends_the_server_too(local: LocalSettings) -> None:
    """And the error goes through."""
    others = children()
    with pytest.raises(ValueError, match="mine"), servers(local, models=[]):
        pids = children() - others
        raise ValueError("mine")
    assert pids
    assert not [pid for pid in pids if runs(pid)]
    assert "NIGHTSHIFT_TRITON_URLS" not in os.environ


def test_a_machine_without_triton_is_told_what_to_do(local: LocalSettings, tmp_path: Path) -> None:
    """One line, before anything runs."""
    bare = local.model_copy(update={"triton_env": tmp_path / "nothing"})
    with pytest.raises(StackError, match="nothing"), servers(bare, models=[]):
        raise AssertionError("not reached")
    assert "NIGHTSHIFT_TRITON_URLS" not in os.environ


@pytest.mark.triton
def test_a_model_that_does_not_load_is_told(local: LocalSettings) -> None:
    """Triton ends, and its words are passed on in one line."""
    with pytest.raises(StackError, match="failed to load"), servers(local, models=["gone"]):
        raise AssertionError("not reached")


def children() -> set[int]:
    """Processes that this one started."""
    found = Path(f"/proc/{os.getpid()}/task").glob("*/children")
    return {int(pid) for path in found for pid in path.read_text().split()}
