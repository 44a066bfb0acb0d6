"""Check how the SQL store opens its database and what it says when it cannot."""

import sqlite3
from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy.dialects import sqlite
from sqlalchemy.exc import IntegrityError

from registry.domain import Alias
from registry.errors import InvalidRegistration, RegistryUnavailable
from registry.pages import VersionFilter
from registry.settings import RegistrySettings
from registry.store import open_store
from registry.tables import UtcDateTime
from tests.contracts.test_store import FIRST, FLIGHTS, NOON


def test_the_default_is_a_file_below_the_working_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A first run needs no set-up: folder and tables are made."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("NIGHTSHIFT_DATABASE_URL", raising=False)
    open_store(RegistrySettings()).close()
    connection = sqlite3.connect(tmp_path / ".nightshift" / "registry.db")
    assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    connection.close()


def test_rows_survive_reopening(settings: RegistrySettings) -> None:
    """What one process committed, the next one reads."""
    first = open_store(settings)
    with first.writing() as rows:
        rows.add_model(FLIGHTS)
    first.close()
    second = open_store(settings)
    with second.reading() as rows:
        assert rows.model("flights") == FLIGHTS
    second.close()


@pytest.mark.parametrize(
    "url", ["nonsense", "nodialect://host/name", "mysql+nodriver://host/name", "mysql://host/name"]
)
def test_a_url_that_is_no_database_is_explained(url: str) -> None:
    """The setting is named, with the two forms that work."""
    with pytest.raises(RegistryUnavailable, match=r"^NIGHTSHIFT_DATABASE_URL .*write sqlite:///"):
        open_store(RegistrySettings(database_url=url))


def test_a_file_that_is_no_database_is_named(tmp_path: Path) -> None:
    """The error names the file, the cause and what to check."""
    (tmp_path / "registry.db").write_text("not a database, though long enough to be read as one")
    with pytest.raises(RegistryUnavailable, match=r"registry\.db .*file is not a database.*check"):
        open_store(RegistrySettings(database_url=f"sqlite:///{tmp_path}/registry.db"))


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    """A file in the folder's place is an error of one line."""
    (tmp_path / "taken").touch()
    with pytest.raises(RegistryUnavailable, match="File exists"):
        open_store(RegistrySettings(database_url=f"sqlite:///{tmp_path}/taken/registry.db"))


def test_a_password_is_not_shown() -> None:
    """A database that is away is named without its secret."""
    url = "postgresql+psycopg://ada:s3cret@127.0.0.1:1/registry?connect_timeout=1"
    with pytest.raises(RegistryUnavailable, match=r"ada:\*\*\*@127.0.0.1:1") as caught:
        open_store(RegistrySettings(database_url=url))
    assert "s3cret" not in str(caught.value)


def test_a_writer_waits_only_as_long_as_it_may(tmp_path: Path) -> None:
    """A lock held by another process ends in an error, not in a hang."""
    url = f"sqlite:///{tmp_path}/registry.db"
    store = open_store(RegistrySettings(database_url=url, database_busy_timeout_s=0.1))
    other = sqlite3.connect(tmp_path / "registry.db", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(RegistryUnavailable, match="database is locked"), store.writing() as rows:
        rows.add_model(FLIGHTS)
    other.close()
    store.close()


def test_an_alias_of_nothing_breaks_a_constraint(settings: RegistrySettings) -> None:
    """The database itself keeps aliases on versions, whatever the code above it does."""
    store = open_store(settings)
    with store.writing() as rows:
        rows.add_model(FLIGHTS)
    with pytest.raises(IntegrityError), store.writing() as rows:
        rows.put_alias(Alias("flights", "champion", 1, NOON))
    store.close()


def test_times_keep_their_moment() -> None:
    """A time without a zone is refused; nothing is made of nothing."""
    kind, dialect = UtcDateTime(), sqlite.dialect()
    assert kind.process_bind_param(None, dialect) is None
    assert kind.process_result_value(None, dialect) is None
    assert kind.process_result_value(NOON.replace(tzinfo=None), dialect) == NOON
    assert kind.process_result_value(NOON, dialect) == NOON
    with pytest.raises(ValueError, match="has no zone"):
        kind.process_bind_param(NOON.replace(tzinfo=None), dialect)


@pytest.mark.parametrize("text", ["a\ud800b", "a\0b"])
def test_what_no_database_holds_is_told(postgres_url: str, text: str) -> None:
    """A name that is looked for, or a text that is to be kept, is the caller's fault."""
    store = open_store(RegistrySettings(database_url=postgres_url))
    refused = "cannot keep or look for what was given"
    with pytest.raises(InvalidRegistration, match=refused), store.reading() as rows:
        rows.model(text)
    with pytest.raises(InvalidRegistration, match=refused), store.writing() as rows:
        rows.add_model(replace(FLIGHTS, description=text))
    store.close()


def test_what_sqlite_does_not_hold_is_told(settings: RegistrySettings) -> None:
    """The same, where numbers are bounded too."""
    store = open_store(settings)
    refused = "cannot keep or look for what was given"
    with pytest.raises(InvalidRegistration, match=refused), store.reading() as rows:
        rows.model("a\ud800b")
    with pytest.raises(InvalidRegistration, match=refused), store.writing() as rows:
        rows.add_model(replace(FLIGHTS, last_version=10**30))
    store.close()


def test_versions_keep_their_tags_in_long_lists(tmp_path: Path) -> None:
    """Also in a list that is longer than one question to the database may be."""
    store = open_store(RegistrySettings(database_url=f"sqlite:///{tmp_path}/registry.db"))
    with store.writing() as rows:
        rows.add_model(FLIGHTS)
        rows.add_version(replace(FIRST, tags={}), content="1")
    other = sqlite3.connect(tmp_path / "registry.db")
    columns = "digest, served_name, served_version, signature, columns, artifact, description"
    for number in range(2, 1101):
        other.execute(
            f"INSERT INTO versions SELECT model_id, {number}, '{number}', {columns}, created_at, "
            "created_by, NULL FROM versions WHERE number = 1"
        )
        other.execute(f"INSERT INTO version_tags VALUES (1, {number}, 'n', '{number}')")
    other.commit()
    other.close()
    with store.reading() as rows:
        found = rows.versions("flights", VersionFilter(), after=None, limit=None)
    expected = {number: {"n": str(number)} for number in range(2, 1101)} | {1: {}}
    assert {version.version: version.tags for version in found} == expected
    store.close()
