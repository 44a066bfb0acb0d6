"""What commands ask of an API is what the registry itself says, and changes the same."""

import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
import uvicorn

from api.app import create_app
from api.models.examples import DRAFT
from api.models.schemas import VersionDraft
from cli.api_client import Api, ApiRefused
from cli.remote_catalog import RemoteCatalog
from cli.stack.process import LOOPBACK
from registry.catalog import Catalog
from registry.domain import ModelRef
from registry.events import EventKind
from registry.pages import EventFilter, ModelFilter, TagFilter, VersionFilter
from registry.settings import RegistrySettings
from registry.store import open_store
from tests.api import tokens
from tests.api.conftest import settings_for

NOBODY = "127.0.0.1:9"
CHAMPION = ModelRef("churn", "champion", None)


@pytest.fixture
def remote(tmp_path: Path) -> Iterator[RemoteCatalog]:
    """Ask the API, with a token of `tester` that allows everything."""
    app = create_app(settings_for(tmp_path / "registry.db", NOBODY))
    server = uvicorn.Server(uvicorn.Config(app, log_config=None))
    with socket.create_server((LOOPBACK, 0)) as listener:
        thread = threading.Thread(target=server.run, args=([listener],))
        thread.start()
        host, port = listener.getsockname()
        # Connections wait at the listener until the server is there.
        with httpx.Client(
            base_url=f"http://{host}:{port}", headers=tokens.bearer(), timeout=60
        ) as client:
            yield RemoteCatalog(Api(client))
        server.should_exit = True
        thread.join()


@pytest.fixture
def local(tmp_path: Path, remote: RemoteCatalog) -> Iterator[Catalog]:
    """Look into the API's database; `bob` has registered three versions."""
    store = open_store(RegistrySettings(database_url=f"sqlite:///{tmp_path}/registry.db"))
    catalog = Catalog(store)
    for number in range(1, 4):
        draft = DRAFT | {"digest": f"sha256:{number:064x}", "tags": {"number": str(number)}}
        _register(catalog, draft, by="bob")
    yield catalog
    store.close()


def _register(catalog: Catalog, draft: dict[str, object], by: str) -> None:
    told = VersionDraft.model_validate(draft)
    assert told.signature is not None
    assert told.digest is not None
    catalog.register(
        "churn",
        signature=told.signature.value(),
        digest=told.digest,
        served_name=told.served_name,
        served_version=str(told.served_version),
        columns={name: tuple(columns) for name, columns in told.columns.items()},
        description=told.description,
        tags=told.tags,
        by=by,
    )


def test_both_say_the_same(remote: RemoteCatalog, local: Catalog) -> None:
    """Whole values: models, versions, aliases, approvals, moves and events, filtered and cut."""
    remote.set_alias("churn", "champion", 1, why="the first")
    remote.set_alias("churn", "champion", 2, why="the next")
    remote.approve("churn", 2, why="smaller errors")
    local.create_model("fraud", tags={"team": "pay"}, by="eve")
    one = ModelFilter(prefix="f", tag=TagFilter("team", "pay"), created_by="eve")
    assert remote.model("churn") == local.model("churn")
    assert remote.models() == local.models()
    assert remote.models(one) == local.models(one)
    assert remote.models(limit=1) == local.models(limit=1)
    assert remote.models(ModelFilter(tag=TagFilter("team"))).items == local.models(one).items
    assert remote.versions("churn") == local.versions("churn")
    assert remote.versions("churn", limit=2) == local.versions("churn", limit=2)
    second = VersionFilter(TagFilter("number", "2"), "bob")
    assert remote.versions("churn", second) == local.versions("churn", second)
    assert remote.resolve(CHAMPION) == local.resolve(CHAMPION)
    assert remote.aliases("churn") == local.aliases("churn")
    assert remote.approvals("churn", 2) == local.approvals("churn", 2) != ()
    assert remote.moves("churn", "champion") == local.moves("churn", "champion")
    assert remote.moves("churn", limit=1) == local.moves("churn", limit=1)
    wanted = EventFilter(model="churn")
    assert remote.events(wanted) == local.events(wanted)
    assert remote.events(wanted, limit=3) == local.events(wanted, limit=3)
    first, last = local.events(wanted).items[-1], local.events(wanted).items[0]
    for chosen in (
        EventFilter(model="churn", kinds=(EventKind.ALIAS_MOVED, EventKind.MODEL_CREATED)),
        EventFilter(model="churn", alias="champion", version=2, by="tester"),
        EventFilter(model="churn", since=last.at, until=last.at),
        EventFilter(model="churn", until=first.at),
    ):
        assert remote.events(chosen) == local.events(chosen)
    for move in local.moves("churn"):
        at = local.alias_at("churn", "champion", move.at)
        assert remote.alias_at("churn", "champion", move.at) == at is not None
    assert remote.alias_at("churn", "champion", first.at) is None


def test_changes_arrive(remote: RemoteCatalog, local: Catalog) -> None:
    """Each with its reason; who did it is whom the token names."""
    moved = remote.set_alias("churn", "champion", 1, by="nobody", why="a", from_version=0)
    assert moved == local.alias("churn", "champion")
    protected = remote.protect_alias("churn", "champion", protected=True, why="b")
    assert protected.protected == local.model("churn").protected == ("champion",)
    assert remote.protect_alias("churn", "champion", protected=False, why="c").protected == ()
    remote.delete_alias("churn", "champion", why="d")
    remote.delete_version("churn", 2, why="e")
    seen = local.change_model("churn", tags={"team": "x", "tier": "1"}, by="bob").revision
    changed = remote.change_model(
        "churn", description="Who leaves", tags={"team": "y"}, why="f", if_revision=seen
    )
    assert changed == local.model("churn")
    assert (changed.description, changed.tags) == ("Who leaves", {"team": "y"})
    kept = remote.change_model("churn", tags={}, why="g", if_revision=changed.revision)
    assert (kept.description, kept.tags) == ("Who leaves", {})
    remote.delete_model("churn", why="h")
    by_tester = EventFilter(model="churn", by="tester")
    told = [(event.kind.value, event.why) for event in local.events(by_tester).items[::-1]]
    assert told == [
        ("alias.moved", "a"),
        ("alias.protected", "b"),
        ("alias.unprotected", "c"),
        ("alias.deleted", "d"),
        ("version.deleted", "e"),
        ("model.changed", "f"),
        ("model.changed", "g"),
        ("model.deleted", "h"),
    ]


def test_who_was_slower_is_refused(remote: RemoteCatalog, local: Catalog) -> None:
    """A move from where the alias is not, a change of what was changed since."""
    remote.set_alias("churn", "champion", 1)
    with pytest.raises(ApiRefused, match="points to version 1 now") as refused:
        remote.set_alias("churn", "champion", 3, from_version=2)
    assert refused.value.status == 412
    with pytest.raises(ApiRefused, match="read it again"):
        remote.change_model("churn", tags={}, if_revision=1)
    with pytest.raises(ApiRefused, match="churn@1 is in use by alias champion"):
        remote.delete_version("churn", 1)
