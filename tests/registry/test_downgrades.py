"""Check that each way down keeps every row that the older schema has a place for."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from registry.catalog import Catalog
from registry.domain import ModelRef
from registry.events import EventKind, replay
from registry.fleet import Fleet
from registry.job_book import Jobs
from registry.job_orders import Order
from registry.jobs import JobState
from registry.pages import EventFilter
from registry.routes import Share
from registry.routing import Routing
from registry.schema import HEAD, VERSION_TABLE, current, downgrade, upgrade
from registry.settings import RegistrySettings
from registry.store import open_store
from tests.contracts.test_answers import ANSWER, CLAIM
from tests.contracts.test_store import FIRST

GONE = {
    "0004": {"generations"},
    "0003": {"generations", "jobs", "job_events"},
    "0002": {"generations", "jobs", "job_events", "routes"},
}
"""Tables that each older schema lacks."""
KEPT_USES = {"0004": {"job", "route"}, "0003": {"route"}, "0002": set()}
"""What may use a version in each."""
ORDER = Order({"keep": "rest"}, ModelRef("flights", None, 2), "s3://lake/out", by="ada")

Rows = dict[str, list[tuple[Any, ...]]]


@pytest.fixture(params=["sqlite", "postgres"])
def settings(request: pytest.FixtureRequest, tmp_path: Path) -> RegistrySettings:
    """A database without tables."""
    url = f"sqlite:///{tmp_path}/registry.db"
    if request.param == "postgres":
        url = request.getfixturevalue("bare_postgres_url")
    return RegistrySettings(database_url=url)


def _fill(settings: RegistrySettings) -> None:
    """Leave rows in every table, by the rules."""
    upgrade(settings)
    store = open_store(settings)
    catalog, fleet, jobs = Catalog(store), Fleet(store), Jobs(store)
    for number in range(1, 5):
        catalog.register(
            "flights",
            signature=FIRST.signature,
            digest=f"sha256:{number:064x}",
            served_name="flights",
            served_version=f"{number}",
            by="ada",
            tags={"number": f"{number}"},
        )
    catalog.change_model("flights", description="delays", tags={"team": "sky"}, by="ada")
    catalog.approve("flights", 1, by="bob", why="good")
    catalog.set_alias("flights", "champion", 1, by="eve")
    catalog.protect_alias("flights", "champion", protected=True, by="eve")
    catalog.set_alias("flights", "night", 1, by="eve")
    routing = Routing(store)
    for share in (100, 200):
        routing.set_route("flights", "night", canaries=[Share(2, share)], shadow=Share(3, 50))
    routing.set_route("flights", "champion", canaries=[], shadow=Share(2, 1), by="eve")
    routing.clear_route("flights", "champion", by="eve")
    fleet.create_pool("gpu", by="ada")
    fleet.add_server("gpu", "triton:8001", by="ada")
    fleet.place("gpu", "flights", 3, by="ada")
    jobs.submit(replace(ORDER, request="r"), most_unfinished=9)
    done, _ = jobs.submit(replace(ORDER, output="s3://lake/done"), most_unfinished=9)
    jobs.begin(done.id, 1, "run")
    jobs.move(done.id, 1, JobState.COMPLETED, by="run")
    catalog.delete_version("flights", 4, by="ada")
    catalog.create_model("gone", by="ada")
    catalog.delete_model("gone", by="ada")
    with store.writing() as rows:
        rows.claim_key(CLAIM)
        rows.keep_answer(CLAIM, ANSWER)
    store.close()


def _rows(settings: RegistrySettings) -> Rows:
    """Return every row of every table."""
    engine = sa.create_engine(settings.database_url)
    tables = sa.MetaData()
    tables.reflect(engine)
    with engine.connect() as connection:
        found = {
            name: sorted((tuple(row) for row in connection.execute(sa.select(table))), key=repr)
            for name, table in tables.tables.items()
            if name != VERSION_TABLE
        }
    engine.dispose()
    return found


def _expected(before: Rows, revision: str) -> Rows:
    """Return the rows that the schema has a place for."""
    kept = {name: rows for name, rows in before.items() if name not in GONE[revision]}
    uses = [row for row in before["uses"] if KEPT_USES[revision] & set(row)]
    events = before["events"]
    if revision == "0002":
        told = {"route.set": "model.changed", "route.cleared": "model.changed"}
        known = (
            tuple(told.get(cell, cell) if isinstance(cell, str) else cell for cell in row)
            for row in events
        )
        events = sorted(known, key=repr)
    return kept | {"uses": uses, "events": events}


@pytest.mark.parametrize("revision", ["0004", "0003", "0002"])
def test_what_the_older_schema_can_hold_stays(settings: RegistrySettings, revision: str) -> None:
    """Down and up again, nothing else is changed; what is lost is lost with what it held.

    The rules go on from there.
    """
    _fill(settings)
    before = _rows(settings)
    assert all(before.values())
    assert downgrade(settings, revision) == HEAD
    assert current(settings) == revision
    kept = _expected(before, revision)
    assert _rows(settings) == kept
    assert upgrade(settings) == revision
    after = _rows(settings)
    scopes = {scope: number for scope, number, _ in after.pop("generations")}
    assert scopes == dict.fromkeys(["*", "flights", "gone", "pool:gpu"], 1)
    assert after == {name: [] for name in GONE[revision] - {"generations"}} | kept
    _check_that_work_goes_on(settings, revision)


def _check_that_work_goes_on(settings: RegistrySettings, revision: str) -> None:
    """Histories have no gap and replay to the present; what was lost can be made anew."""
    store = open_store(settings)
    catalog, jobs, routing = Catalog(store), Jobs(store), Routing(store)
    assert len(jobs.jobs().items) == (2 if revision == "0004" else 0)
    route = routing.route("flights", "night")
    assert (route is None) == (revision == "0002")
    events = catalog.events(EventFilter(model="flights")).items[::-1]
    own = [event for event in events if event.pool is None]
    assert [event.revision for event in own] == list(range(1, len(own) + 1))
    assert replay(own) == {("flights", "champion"): 1, ("flights", "night"): 1}
    told = [event.kind for event in own if event.alias == "night"]
    kind = EventKind.MODEL_CHANGED if revision == "0002" else EventKind.ROUTE_SET
    assert told == [EventKind.ALIAS_MOVED, kind, kind]
    routing.set_route("flights", "night", canaries=[Share(3, 100)], shadow=None, by="bob")
    again = replace(ORDER, output="s3://lake/again", request="r")
    _, new = jobs.submit(replace(again, fingerprint=""), most_unfinished=9)
    assert new == (revision != "0004")
    store.close()
