"""Run commands as a person would, in a folder of their own."""

from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from cli.main import app
from tests.flows.workplace import prefect_leftovers as prefect_leftovers
from tests.flows.workplace import workplace as workplace

Command = Callable[..., Result]


@pytest.fixture
def command(tmp_path: Path, triton_env: Path, monkeypatch: pytest.MonkeyPatch) -> Command:
    """Call with the words after `nightshift`; the working folder is empty at first.

    Lines are wide enough that no table cell wraps.
    """
    environment = triton_env.absolute()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("NIGHTSHIFT_TRITON_ENV", str(environment))
    monkeypatch.setenv("COLUMNS", "160")
    monkeypatch.setenv("LOGNAME", "ada")
    for name in ("NIGHTSHIFT_DATABASE_URL", "NIGHTSHIFT_TRITON_URLS", "NIGHTSHIFT_DATA_DIR"):
        monkeypatch.delenv(name, raising=False)
    runner = CliRunner()

    def run(*words: str) -> Result:
        return runner.invoke(app, list(words))

    return run
