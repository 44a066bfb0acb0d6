"""Check `nightshift db` from the words typed to the database's schema."""

import pytest

from registry.schema import HEAD
from tests.cli.conftest import Command


def test_a_server_is_brought_up_and_back(
    command: Command, bare_postgres_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each command says what it found and what it did; models can be listed in between."""
    monkeypatch.setenv("NIGHTSHIFT_DATABASE_URL", bare_postgres_url)
    needs = f"this program needs {HEAD}\n"
    assert command("db", "current").stdout == f"the schema is empty, {needs}"
    assert command("db", "upgrade").stdout == f"the schema was empty, it is {HEAD} now\n"
    assert command("db", "upgrade").stdout == f"the schema is {HEAD} already\n"
    assert command("db", "current").stdout == f"the schema is {HEAD}, {needs}"
    assert command("db", "downgrade", "0001").stdout == f"the schema was {HEAD}, it is 0001 now\n"
    failed = command("db", "downgrade", HEAD)
    assert failed.exit_code == 1
    assert "cannot go back to" in failed.stderr


def test_a_server_that_was_not_brought_up_is_refused(
    command: Command, bare_postgres_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One line with the command that helps, and exit status 1, before anything is served."""
    monkeypatch.setenv("NIGHTSHIFT_DATABASE_URL", bare_postgres_url)
    monkeypatch.setenv("NIGHTSHIFT_TRITON_URLS", "127.0.0.1:1")
    failed = command("serve", "--port", "0")
    assert failed.exit_code == 1
    assert failed.stderr.rstrip().endswith("has no tables yet: run `nightshift db upgrade`")


def test_a_file_needs_no_upgrade(command: Command) -> None:
    """The embedded default tells its schema, and is brought up by itself."""
    assert command("db", "current").stdout.startswith("the schema is empty")
    command("models", "list")
    assert command("db", "current").stdout.startswith(f"the schema is {HEAD}")
