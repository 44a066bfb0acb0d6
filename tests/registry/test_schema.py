"""Check migrations: up and down with rows, beside each other, and what is refused."""

import sqlite3
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory

from registry.catalog import Catalog
from registry.domain import Alias, Model, ModelRef
from registry.errors import RegistryUnavailable, SchemaMismatch
from registry.events import Event, EventKind, replay
from registry.job_book import Jobs
from registry.job_orders import Order
from registry.pages import EventFilter
from registry.schema import HEAD, REVISIONS, VERSION_TABLE, current, downgrade, upgrade
from registry.settings import RegistrySettings
from registry.store import open_store
from registry.tables import Base
from tests.contracts.test_store import FIRST, FLIGHTS

FIRST_SCHEMA = Path(__file__).with_name("first_schema.sql")
MORNING = datetime(2026, 1, 1, 8, tzinfo=UTC)
ROWS = (
    "INSERT INTO models VALUES (1, 'flights', 'delays', 3, '2026-01-01 08:00:00')",
    "INSERT INTO models VALUES (2, 'empty', '', 0, '2026-01-01 08:00:00')",
    *(
        f"INSERT INTO versions VALUES (1, {number}, '{number:064}', 'sha256:{0:064}', 'flights', "
        """'1', '{"inputs": [], "outputs": [], "max_batch_size": 0}', '{}', NULL, '', """
        f"'2026-01-0{number} 09:00:00', '{by}')"
        for number, by in ((1, "ada"), (2, "bob"), (3, "ada"))
    ),
    "INSERT INTO aliases VALUES (1, 'champion', 3, '2026-01-05 08:00:00')",
    *(
        f"INSERT INTO alias_moves VALUES ({number}, 1, 'champion', '{at}', 'eve', {left}, {to}, "
        f"'because {number}')"
        for number, at, left, to in (
            (1, "2026-01-02 08:00:00", "NULL", 1),
            (2, "2026-01-05 08:00:00", 1, 2),
            # The clock had been set back.
            (3, "2026-01-04 08:00:00", 2, 3),
        )
    ),
)


@pytest.fixture(params=["sqlite", "postgres"])
def settings(request: pytest.FixtureRequest, tmp_path: Path) -> RegistrySettings:
    """A database without tables."""
    url = f"sqlite:///{tmp_path}/registry.db"
    if request.param == "postgres":
        url = request.getfixturevalue("bare_postgres_url")
    return RegistrySettings(database_url=url)


@pytest.fixture
def engine(settings: RegistrySettings) -> Iterator[sa.Engine]:
    found = sa.create_engine(settings.database_url)
    yield found
    found.dispose()


def _fill_first(engine: sa.Engine) -> None:
    """Make the database as the program before migrations left it."""
    serial = {"postgresql": "BIGSERIAL", "sqlite": "INTEGER"}[engine.dialect.name]
    moment = {"postgresql": "TIMESTAMPTZ", "sqlite": "DATETIME"}[engine.dialect.name]
    text = {"postgresql": "JSONB", "sqlite": "JSON"}[engine.dialect.name]
    schema = FIRST_SCHEMA.read_text().replace("JSON", text).replace("DATETIME", moment)
    schema = schema.replace("\tid INTEGER", f"\tid {serial}")
    with engine.begin() as connection:
        if engine.dialect.name == "postgresql":
            connection.exec_driver_sql("SET TIME ZONE 'UTC'")
            schema = schema.replace("model_id INTEGER", "model_id BIGINT")
        for statement in schema.split(";\n"):
            if statement.strip():
                connection.exec_driver_sql(statement)
        for row in ROWS:
            connection.exec_driver_sql(row)


def _query(engine: sa.Engine, statement: str) -> list[tuple[Any, ...]]:
    with engine.connect() as connection:
        return [tuple(row) for row in connection.exec_driver_sql(statement)]


def test_the_steps_lead_to_what_the_program_knows() -> None:
    """Every schema has its module in the package, and they form one line."""
    config = Config()
    config.set_main_option("script_location", "registry:migrations")
    script = ScriptDirectory.from_config(config)
    steps = [step.revision for step in script.walk_revisions()]
    assert (tuple(reversed(steps)), script.get_heads()) == (REVISIONS, [HEAD])


def test_migrated_tables_are_those_of_the_program(
    settings: RegistrySettings, engine: sa.Engine
) -> None:
    """Alembic finds no difference, whether the tables came step by step or at once."""
    _fill_first(engine)
    upgrade(settings)
    assert _differences(engine) == []


def test_new_tables_are_those_of_the_program(settings: RegistrySettings, engine: sa.Engine) -> None:
    """The same for a database that had none."""
    assert current(settings) is None
    assert upgrade(settings) is None
    assert current(settings) == HEAD
    assert _differences(engine) == []


def test_indexes_are_the_same_by_either_way(tmp_path: Path) -> None:
    """Also what Alembic does not compare: the conditions of indexes."""
    found = []
    for name in ("new", "migrated"):
        settings = RegistrySettings(database_url=f"sqlite:///{tmp_path}/{name}.db")
        if name == "migrated":
            engine = sa.create_engine(settings.database_url)
            _fill_first(engine)
            engine.dispose()
        upgrade(settings)
        with sqlite3.connect(tmp_path / f"{name}.db") as connection:
            wanted = "SELECT sql FROM sqlite_master WHERE type = 'index' AND sql IS NOT NULL"
            found.append({" ".join(sql.split()) for (sql,) in connection.execute(wanted)})
        connection.close()
    assert found[0] == found[1]


def test_rows_survive_the_way_up(settings: RegistrySettings, engine: sa.Engine) -> None:
    """Models, versions and aliases stay; moves become events among what else is known."""
    _fill_first(engine)
    assert current(settings) == "0001"
    assert upgrade(settings) == "0001"
    store = open_store(settings)
    catalog = Catalog(store)
    latest = datetime(2026, 1, 5, 8, tzinfo=UTC)
    flights = Model("flights", "delays", 3, MORNING, "ada", {}, (), 7, latest)
    empty = Model("empty", "", 0, MORNING, "", {}, (), 1, MORNING)
    assert catalog.models().items == (empty, flights)
    assert catalog.aliases("flights").items == (Alias("flights", "champion", 3, latest, 7),)
    assert [version.version for version in catalog.versions("flights").items] == [3, 2, 1]
    events = catalog.events(EventFilter(model="flights")).items[::-1]
    told = [(e.kind, e.revision, e.at.day, e.by, e.version, e.from_version) for e in events]
    assert told == [
        (EventKind.MODEL_CREATED, 1, 1, "ada", None, None),
        (EventKind.VERSION_REGISTERED, 2, 1, "ada", 1, None),
        (EventKind.ALIAS_MOVED, 3, 2, "eve", 1, None),
        (EventKind.VERSION_REGISTERED, 4, 2, "bob", 2, None),
        (EventKind.VERSION_REGISTERED, 5, 3, "ada", 3, None),
        (EventKind.ALIAS_MOVED, 6, 5, "eve", 2, 1),
        (EventKind.ALIAS_MOVED, 7, 5, "eve", 3, 2),
    ]
    assert replay(events) == {("flights", "champion"): 3}
    catalog.set_alias("flights", "champion", 1, from_version=3)
    store.close()


def test_the_way_down_keeps_what_the_older_schema_can_hold(
    settings: RegistrySettings, engine: sa.Engine
) -> None:
    """What was deleted stays so, and moves form a chain; up again, the history replays."""
    _fill_first(engine)
    upgrade(settings)
    store = open_store(settings)
    catalog = Catalog(store)
    catalog.set_alias("flights", "challenger", 2)
    catalog.set_alias("flights", "challenger", 1)
    catalog.set_alias("flights", "gone", 3)
    catalog.delete_alias("flights", "gone")
    catalog.delete_version("flights", 2)
    catalog.delete_model("empty")
    store.close()
    assert downgrade(settings, "0001") == HEAD
    assert current(settings) == "0001"
    assert _query(engine, "SELECT name FROM models") == [("flights",)]
    assert _query(engine, "SELECT number FROM versions ORDER BY 1") == [(1,), (3,)]
    moves = "SELECT alias, from_version, to_version, why FROM alias_moves ORDER BY id"
    assert _query(engine, moves) == [
        ("champion", None, 1, "because 1"),
        ("champion", 1, 3, "because 3"),
        ("challenger", None, 1, ""),
        ("gone", None, 3, ""),
    ]
    assert upgrade(settings) == "0001"
    store = open_store(settings)
    catalog = Catalog(store)
    events = catalog.events(EventFilter(model="flights")).items[::-1]
    assert replay(events) == {("flights", "champion"): 3, ("flights", "challenger"): 1}
    assert [event.revision for event in events] == list(range(1, len(events) + 1))
    version = catalog.register(
        "flights",
        signature=FIRST.signature,
        digest="sha256:" + "1" * 64,
        served_name="flights",
        served_version="1",
    )
    assert version.version == 4
    store.close()


def test_jobs_come_and_go_with_their_schema(settings: RegistrySettings) -> None:
    """Models stay; what an unfinished job used may be deleted once there are no jobs."""
    upgrade(settings)
    store = open_store(settings)
    with store.writing() as rows:
        rows.add_model(FLIGHTS)
        rows.add_version(FIRST, content="content")
    order = Order({"keep": "rest"}, ModelRef("flights", None, 1), "s3://lake/out", by="ada")
    job, _ = Jobs(store).submit(order, most_unfinished=1)
    assert Jobs(store).job(job.id) == job
    store.close()
    assert downgrade(settings, "0003") == HEAD
    assert upgrade(settings) == "0003"
    store = open_store(settings)
    assert Jobs(store).jobs().items == ()
    Catalog(store).delete_version("flights", 1)
    store.close()


def test_many_who_upgrade_at_once_do_it_once(settings: RegistrySettings, engine: sa.Engine) -> None:
    """One migrates, the others find it done."""
    _fill_first(engine)
    with ThreadPoolExecutor(6) as pool:
        found = list(pool.map(lambda _: upgrade(settings), range(6)))
    assert sorted(map(str, found)) == ["0001", *[HEAD] * 5]
    assert _query(engine, "SELECT count(*) FROM events") == [(8,)]


def test_a_file_is_brought_up_when_it_is_opened(tmp_path: Path) -> None:
    """A registry of the embedded default needs nobody to migrate it."""
    settings = RegistrySettings(database_url=f"sqlite:///{tmp_path}/registry.db")
    engine = sa.create_engine(settings.database_url)
    _fill_first(engine)
    engine.dispose()
    store = open_store(settings)
    assert Catalog(store).model("flights").last_version == 3
    store.close()


def test_a_server_is_brought_up_by_its_command_only(bare_postgres_url: str) -> None:
    """The program refuses an empty or older database in one line with the command."""
    settings = RegistrySettings(database_url=bare_postgres_url)
    with pytest.raises(SchemaMismatch, match=r"has no tables yet: run `nightshift db upgrade`$"):
        open_store(settings)
    upgrade(settings)
    downgrade(settings, "0001")
    with pytest.raises(SchemaMismatch, match=r"has schema 0001, .* run `nightshift db upgrade`$"):
        open_store(settings)
    upgrade(settings)
    open_store(settings).close()


def test_a_newer_schema_is_refused(settings: RegistrySettings, engine: sa.Engine) -> None:
    """What a newer program has made is neither used nor changed by this one."""
    upgrade(settings)
    with engine.begin() as connection:
        connection.exec_driver_sql(f"UPDATE {VERSION_TABLE} SET version_num = '9999'")
    newer = f"schema 9999, which this program does not know .*is {HEAD}.*run a newer Nightshift"
    for work in (open_store, upgrade):
        with pytest.raises(SchemaMismatch, match=newer):
            work(settings)
    with pytest.raises(SchemaMismatch, match="has schema 9999 and cannot go back to '0001'"):
        downgrade(settings, "0001")
    assert current(settings) == "9999"


def test_one_cannot_go_down_to_what_is_not_below(settings: RegistrySettings) -> None:
    """The error lists where one can go; where one is already, nothing happens."""
    upgrade(settings)
    known = ", ".join(REVISIONS)
    with pytest.raises(SchemaMismatch, match=rf"cannot go back to '0000': choose of {known}$"):
        downgrade(settings, "0000")
    assert downgrade(settings, HEAD) == HEAD
    assert current(settings) == HEAD


def test_a_failed_migration_leaves_the_database_as_it_was(
    settings: RegistrySettings, engine: sa.Engine
) -> None:
    """A row that the newer schema cannot hold stops it whole; nothing was changed."""
    _fill_first(engine)
    with engine.begin() as connection:
        connection.exec_driver_sql("CREATE TABLE events (mine INTEGER)")
    with pytest.raises(RegistryUnavailable, match="events"):
        upgrade(settings)
    assert current(settings) == "0001"
    assert _query(engine, "SELECT count(*) FROM alias_moves") == [(3,)]


def test_a_broken_file_is_not_migrated(tmp_path: Path) -> None:
    """An alias that points to nothing is told, and the file stays as it was."""
    settings = RegistrySettings(database_url=f"sqlite:///{tmp_path}/registry.db")
    engine = sa.create_engine(settings.database_url)
    _fill_first(engine)
    with engine.begin() as connection:
        connection.exec_driver_sql("UPDATE aliases SET version = 7")
    with pytest.raises(RegistryUnavailable, match=r"rows that point to nothing .*aliases"):
        open_store(settings)
    assert current(settings) == "0001"
    engine.dispose()


def test_events_come_back_from_either_store(settings: RegistrySettings) -> None:
    """An event's changes survive as they were given."""
    upgrade(settings)
    store = open_store(settings)
    catalog = Catalog(store)
    catalog.create_model("flights", by="ada")
    catalog.change_model("flights", description="delays", tags={"a": "b"}, by="bob", why="new")
    (event, _) = catalog.events(EventFilter(model="flights")).items
    expected = {"description": "delays", "tags": {"a": "b"}}
    assert event == Event(
        EventKind.MODEL_CHANGED,
        event.at,
        "bob",
        2,
        "flights",
        why="new",
        change=expected,
        id=event.id,
    )
    store.close()


def _differences(engine: sa.Engine) -> list[Any]:
    options = {
        "compare_type": True,
        "include_name": lambda name, kind, _: kind != "table" or name != VERSION_TABLE,
    }
    with engine.connect() as connection:
        context = MigrationContext.configure(connection, opts=options)
        return list(compare_metadata(context, Base.metadata))
