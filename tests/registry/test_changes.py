"""Check how models, versions and aliases are changed, approved and deleted."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from registry.catalog import Catalog
from registry.conflicts import (
    AliasMoved,
    AliasProtected,
    AlreadyExists,
    ApprovalMissing,
    ApprovalRefused,
    InUse,
    RevisionChanged,
)
from registry.domain import Alias, Approval, InvalidName, Model, ModelRef, ModelVersion
from registry.errors import UnknownAlias, UnknownModel, UnknownVersion
from registry.events import Event, EventKind
from registry.generations import EVERYTHING
from registry.pages import EventFilter, ModelFilter, TagFilter, VersionFilter
from registry.settings import RegistrySettings
from registry.store import open_store
from registry.uses import Referent, Use, UseKind
from tests.contracts.audience import Heard
from tests.registry.conftest import START, Clock

Register = Callable[..., ModelVersion]


def _minute(number: int) -> Any:
    return START + timedelta(minutes=number)


@pytest.fixture
def register(catalog: Catalog, signature: Any) -> Register:
    """Register `flights`, each number another version, by Ada."""

    def call(number: int = 1, **given: Any) -> ModelVersion:
        return catalog.register(
            "flights",
            signature=signature,
            digest=f"sha256:{number:064x}",
            served_name="flights",
            served_version="1",
            **{"by": "ada", **given},
        )

    return call


def _kinds(catalog: Catalog) -> list[EventKind]:
    return [event.kind for event in catalog.events(EventFilter(model="flights")).items[::-1]]


def test_a_model_may_come_before_its_versions(catalog: Catalog) -> None:
    """It comes back whole, once."""
    model = catalog.create_model(
        "flights", description="delays", tags={"b": "2", "a": "1"}, by="ada"
    )
    at = _minute(1)
    assert model == Model("flights", "delays", 0, at, "ada", {"a": "1", "b": "2"}, (), 1, at)
    assert catalog.model("flights") == model
    with pytest.raises(AlreadyExists, match=r"^model flights is registered already: change it"):
        catalog.create_model("flights")


@pytest.mark.parametrize(
    ("tags", "message"),
    [
        ({"a b": "1"}, "tag name 'a b' is not allowed"),
        ({"": "1"}, "tag name '' is not allowed"),
        ({"a": "x" * 257}, "tag 'a': its value is not allowed: use at most 256 printable"),
        ({"a": "x\n"}, "tag 'a': its value is not allowed"),
        ({str(number): "" for number in range(65)}, "65 tags are too many: keep to 64"),
    ],
)
def test_tags_that_cannot_be_kept_are_refused(
    catalog: Catalog, register: Register, tags: dict[str, str], message: str
) -> None:
    """On a model as on a version, with nothing left behind."""
    with pytest.raises(InvalidName, match=message):
        catalog.create_model("flights", tags=tags)
    with pytest.raises(InvalidName, match=message):
        register(tags=tags)
    assert catalog.models().items == ()


def test_a_model_is_changed_by_who_saw_it(catalog: Catalog) -> None:
    """What was given changes, in one event; a revision that has passed changes nothing."""
    catalog.create_model("flights", tags={"a": "1"}, by="ada")
    changed = catalog.change_model("flights", description="delays", by="bob", why="clearer")
    assert (changed.description, changed.tags, changed.revision) == ("delays", {"a": "1"}, 2)
    assert catalog.change_model("flights", description="delays", tags={"a": "1"}) == changed
    cleared = catalog.change_model("flights", tags={}, if_revision=2)
    assert (cleared.description, cleared.tags, cleared.revision) == ("delays", {}, 3)
    with pytest.raises(RevisionChanged, match="model flights is at revision 3, not 2 any more"):
        catalog.change_model("flights", description="", if_revision=2)
    with pytest.raises(UnknownModel):
        catalog.change_model("planes", description="")
    newest, before, _ = catalog.events(EventFilter(model="flights")).items
    assert (newest.change, newest.by) == ({"tags": {}}, "")
    assert (before.change, before.by, before.why) == ({"description": "delays"}, "bob", "clearer")


def test_everything_that_happens_is_an_event(catalog: Catalog, register: Register) -> None:
    """In the order in which it happened, counted by the model's revision."""
    register(1)
    register(2)
    catalog.approve("flights", 2, by="bob", why="measured")
    catalog.protect_alias("flights", "champion", protected=True)
    catalog.set_alias("flights", "champion", 2, by="eve")
    catalog.protect_alias("flights", "champion", protected=False)
    catalog.delete_alias("flights", "champion", by="eve", why="over")
    catalog.delete_version("flights", 1)
    assert _kinds(catalog) == [
        EventKind.MODEL_CREATED,
        EventKind.VERSION_REGISTERED,
        EventKind.VERSION_REGISTERED,
        EventKind.VERSION_APPROVED,
        EventKind.ALIAS_PROTECTED,
        EventKind.ALIAS_MOVED,
        EventKind.ALIAS_UNPROTECTED,
        EventKind.ALIAS_DELETED,
        EventKind.VERSION_DELETED,
    ]
    events = catalog.events(EventFilter(model="flights")).items
    assert [event.revision for event in events] == list(range(9, 0, -1))
    assert catalog.model("flights").revision == 9
    deleted = Event(
        EventKind.ALIAS_DELETED,
        events[1].at,
        "eve",
        8,
        "flights",
        alias="champion",
        from_version=2,
        why="over",
        id=events[1].id,
    )
    assert events[1] == deleted


def test_an_alias_is_moved_by_who_saw_it(catalog: Catalog, register: Register) -> None:
    """Whoever believes it elsewhere learns where it is; nothing is moved."""
    register(1)
    register(2)
    with pytest.raises(AliasMoved, match="flights@champion does not exist now") as lost:
        catalog.set_alias("flights", "champion", 1, from_version=2)
    assert lost.value.now is None
    first = catalog.set_alias("flights", "champion", 1, from_version=0, if_revision=0)
    with pytest.raises(AliasMoved, match="flights@champion points to version 1 now") as lost:
        catalog.set_alias("flights", "champion", 2, from_version=0)
    assert lost.value.now == first
    second = catalog.set_alias("flights", "champion", 2, from_version=1)
    for left, revision in ((1, None), (None, first.revision), (None, 0), (2, 0)):
        with pytest.raises(AliasMoved) as lost:
            catalog.set_alias("flights", "champion", 1, from_version=left, if_revision=revision)
        assert lost.value.now == second
        with pytest.raises(AliasMoved):
            catalog.delete_alias("flights", "champion", from_version=left, if_revision=revision)
    catalog.delete_alias("flights", "champion", if_revision=second.revision)
    with pytest.raises(UnknownAlias):
        catalog.alias("flights", "champion")
    with pytest.raises(UnknownAlias):
        catalog.delete_alias("flights", "champion")


def test_a_compare_is_not_fooled_by_a_way_back(catalog: Catalog, register: Register) -> None:
    """An alias that went away and came back has another revision."""
    register(1)
    register(2)
    seen = catalog.set_alias("flights", "champion", 1)
    catalog.set_alias("flights", "champion", 2)
    back = catalog.set_alias("flights", "champion", 1)
    with pytest.raises(AliasMoved) as lost:
        catalog.set_alias("flights", "champion", 2, if_revision=seen.revision)
    assert lost.value.now == back != seen


def test_what_an_alias_was_is_one_question(catalog: Catalog, register: Register) -> None:
    """For any moment: where it pointed, since when, who moved it there and why."""
    register(1)
    register(2)
    assert catalog.alias_at("flights", "champion", _minute(99)) is None
    moved = [
        catalog.set_alias("flights", "champion", number, by=by, why=why).moved_at
        for number, by, why in ((1, "ada", "first"), (2, "bob", "better"), (1, "eve", "worse"))
    ]
    catalog.delete_alias("flights", "champion", by="ada")

    def told(when: Any) -> Any:
        found = catalog.alias_at("flights", "champion", when)
        return found and (found.version, found.by, found.why, found.at)

    tick = timedelta(microseconds=1)
    assert told(moved[0] - tick) is None
    assert told(moved[0]) == told(moved[1] - tick) == (1, "ada", "first", moved[0])
    assert told(moved[1]) == told(moved[2] - tick) == (2, "bob", "better", moved[1])
    assert told(moved[2]) == (1, "eve", "worse", moved[2])
    gone = catalog.alias_at("flights", "champion", _minute(99))
    assert gone is not None
    assert (gone.kind, gone.version, gone.from_version) == (EventKind.ALIAS_DELETED, None, 1)
    assert catalog.alias_at("flights", "challenger", _minute(99)) is None
    with pytest.raises(UnknownModel):
        catalog.alias_at("planes", "champion", _minute(99))


def test_a_clock_that_was_set_back_keeps_the_order(
    settings: RegistrySettings, signature: Any
) -> None:
    """An event is never before the one that came before it."""
    store, times = open_store(settings), [5, 4, 3, 9, 2, 1, 8]
    catalog = Catalog(store, now=lambda: _minute(times.pop(0)) if times else _minute(0))
    for number in (1, 2):
        catalog.register(
            "flights",
            signature=signature,
            digest=f"sha256:{number:064x}",
            served_name="flights",
            served_version="1",
        )
    for number in (1, 2, 1):
        catalog.set_alias("flights", "champion", number)
    events = catalog.events(EventFilter(model="flights")).items[::-1]
    assert [event.revision for event in events] == list(range(1, 7))
    assert [event.at for event in events] == sorted(event.at for event in events)
    store.close()


def test_a_protected_alias_needs_a_third_person(catalog: Catalog, register: Register) -> None:
    """The approval must be of somebody who neither registered the version nor moves the alias."""
    register(1)
    assert catalog.protect_alias("flights", "champion", protected=True).protected == ("champion",)
    with pytest.raises(ApprovalMissing, match=r"is protected and version 1 lacks the approval"):
        catalog.set_alias("flights", "champion", 1, by="ada")
    for nobody in ("", "ada"):
        with pytest.raises(ApprovalRefused):
            catalog.approve("flights", 1, by=nobody)
    approved = catalog.approve("flights", 1, by="bob", why="measured")
    assert approved == Approval("flights", 1, "bob", approved.at, "measured")
    assert catalog.approve("flights", 1, by="bob", why="again") == approved
    assert catalog.approvals("flights", 1) == (approved,)
    with pytest.raises(ApprovalMissing, match="bob: ask a third person"):
        catalog.set_alias("flights", "champion", 1, by="bob")
    with pytest.raises(ApprovalMissing, match="champion is protected: say who moves it"):
        catalog.set_alias("flights", "champion", 1)
    assert catalog.set_alias("flights", "champion", 1, by="ada").version == 1
    assert catalog.set_alias("flights", "other", 1).version == 1


def test_a_way_back_needs_no_new_approval(catalog: Catalog, register: Register) -> None:
    """An approval stays with its version, so a bad version is left at once."""
    for number in (1, 2):
        register(number)
        catalog.approve("flights", number, by="bob")
    catalog.protect_alias("flights", "champion", protected=True)
    for number in (1, 2, 1):
        assert catalog.set_alias("flights", "champion", number, by="ada").version == number


def test_a_version_of_nobody_may_be_approved_by_anybody(
    catalog: Catalog, register: Register
) -> None:
    """Who is not known cannot be told from others; the mover still can."""
    register(1, by="")
    catalog.protect_alias("flights", "champion", protected=True)
    catalog.approve("flights", 1, by="ada")
    with pytest.raises(ApprovalMissing):
        catalog.set_alias("flights", "champion", 1, by="ada")
    assert catalog.set_alias("flights", "champion", 1, by="bob").version == 1


def test_a_protected_alias_stays(catalog: Catalog, register: Register) -> None:
    """It cannot be deleted, and deleting could not take the protection off."""
    register(1)
    catalog.set_alias("flights", "champion", 1)
    protected = catalog.protect_alias("flights", "champion", protected=True, by="ada")
    assert catalog.protect_alias("flights", "champion", protected=True, by="bob") == protected
    with pytest.raises(AliasProtected, match="take its protection off first"):
        catalog.delete_alias("flights", "champion")
    assert catalog.protect_alias("flights", "champion", protected=False).protected == ()
    catalog.delete_alias("flights", "champion")
    with pytest.raises(InvalidName):
        catalog.protect_alias("flights", "3", protected=True)
    with pytest.raises(UnknownModel):
        catalog.protect_alias("planes", "champion", protected=True)


def test_what_is_pointed_to_is_not_deleted(catalog: Catalog, register: Register) -> None:
    """One error names all referents, in the model's case those of every version."""
    register(1)
    register(2)
    for alias, number in (("champion", 1), ("stable", 1), ("next", 2)):
        catalog.set_alias("flights", alias, number)
    catalog.claim(Use(UseKind.JOB, "nightly-7", "flights", 1))
    catalog.claim(Use(UseKind.JOB, "nightly-7", "flights", 1))
    catalog.claim(Use(UseKind.ROUTE, "live", "flights"))
    pointing = (
        Referent("alias", "champion"),
        Referent("alias", "stable"),
        Referent("job", "nightly-7"),
    )
    with pytest.raises(
        InUse, match="flights@1 is in use by alias champion, alias stable, job nig"
    ) as caught:
        catalog.delete_version("flights", 1)
    assert caught.value.referents == pointing
    with pytest.raises(InUse) as caught:
        catalog.delete_model("flights")
    everything = (
        pointing[0],
        Referent("alias", "next"),
        *pointing[1:],
        Referent("route", "live"),
    )
    assert caught.value.referents == everything
    assert catalog.uses("flights") == (
        Use(UseKind.JOB, "nightly-7", "flights", 1),
        Use(UseKind.ROUTE, "live", "flights"),
    )
    for alias in ("champion", "stable", "next"):
        catalog.delete_alias("flights", alias)
    catalog.release(UseKind.JOB, "nightly-7")
    catalog.release(UseKind.JOB, "nightly-7")
    catalog.delete_version("flights", 1)
    catalog.release(UseKind.ROUTE, "live")
    catalog.delete_model("flights")


def test_a_use_is_of_what_is_there(catalog: Catalog, register: Register) -> None:
    """A job that comes after the deletion is told, not kept."""
    register(1)
    catalog.delete_version("flights", 1)
    with pytest.raises(UnknownVersion):
        catalog.claim(Use(UseKind.JOB, "7", "flights", 1))
    with pytest.raises(UnknownModel):
        catalog.claim(Use(UseKind.JOB, "7", "planes"))
    assert catalog.uses("flights") == ()


def test_a_deleted_version_is_not_given_again(catalog: Catalog, register: Register) -> None:
    """The same file registered again is another version."""
    register(1)
    catalog.delete_version("flights", 1, by="ada", why="leaks")
    with pytest.raises(UnknownVersion, match="no version 1; there is none yet"):
        catalog.resolve(ModelRef.parse("flights@1"))
    assert register(1).version == 2
    with pytest.raises(UnknownVersion):
        catalog.delete_version("flights", 1)


def test_a_deleted_models_name_counts_on(catalog: Catalog, register: Register) -> None:
    """It begins anew, without what it had; numbers, history and the gate stay."""
    register(1, description="old", tags={"a": "b"})
    catalog.change_model("flights", tags={"team": "sky"})
    catalog.protect_alias("flights", "champion", protected=True)
    with pytest.raises(RevisionChanged):
        catalog.delete_model("flights", if_revision=1)
    catalog.delete_model("flights", by="ada", why="unused", if_revision=4)
    with pytest.raises(UnknownModel):
        catalog.model("flights")
    assert catalog.models(ModelFilter(tag=TagFilter("team"))).items == ()
    last = catalog.events(EventFilter(model="flights"), limit=1).items[0]
    assert (last.kind, last.by, last.why) == (EventKind.MODEL_DELETED, "ada", "unused")
    assert register(1, description="new").version == 2
    model = catalog.model("flights")
    assert (model.description, model.tags, model.protected) == ("new", {}, ("champion",))
    assert (model.last_version, model.revision) == (2, 7)
    assert catalog.aliases("flights").items == ()


def test_lists_come_in_pages(catalog: Catalog, register: Register) -> None:
    """Each page says where the next begins; the last says that there is none."""
    for number in range(1, 6):
        register(number, tags={"odd": str(number % 2)})
        catalog.set_alias("flights", f"a{number}", number)
    page = catalog.versions("flights", limit=2)
    assert ([v.version for v in page.items], page.next) == ([5, 4], 4)
    page = catalog.versions("flights", limit=3, after=page.next)
    assert ([v.version for v in page.items], page.next) == ([3, 2, 1], None)
    odd = VersionFilter(tag=TagFilter("odd", "1"))
    page = catalog.versions("flights", odd, limit=2)
    assert ([v.version for v in page.items], page.next) == ([5, 3], 3)
    aliases = catalog.aliases("flights", limit=4)
    assert ([a.name for a in aliases.items], aliases.next) == (["a1", "a2", "a3", "a4"], "a4")
    seen: list[Event] = []
    after: int | None = None
    while True:
        events = catalog.events(EventFilter(model="flights"), after=after, limit=4)
        seen += events.items
        after = events.next
        if after is None:
            break
    assert [event.revision for event in seen] == list(range(11, 0, -1))
    for name in ("b", "c"):
        catalog.create_model(name)
    models = catalog.models(limit=2)
    assert ([m.name for m in models.items], models.next) == (["b", "c"], "c")
    models = catalog.models(after="c", limit=2)
    assert ([m.name for m in models.items], models.next) == (["flights"], None)


def test_events_of_what_never_was_are_an_error(catalog: Catalog, register: Register) -> None:
    """An empty list would hide a typing error; a filter that finds nothing is none."""
    register(1)
    assert catalog.events(EventFilter(model="flights", by="bob")).items == ()
    assert catalog.events(EventFilter(by="bob")).items == ()
    with pytest.raises(UnknownModel):
        catalog.events(EventFilter(model="planes"))


def test_an_alias_knows_its_move(catalog: Catalog, register: Register) -> None:
    """Its revision is that of the event that moved it."""
    register(1)
    moved = catalog.set_alias("flights", "champion", 1)
    assert moved == Alias("flights", "champion", 1, moved.moved_at, 3)
    assert catalog.alias("flights", "champion") == moved
    (event,) = catalog.events(EventFilter(alias="champion")).items
    assert (event.revision, event.at) == (moved.revision, moved.moved_at)


def test_whoever_keeps_copies_hears_of_every_change(
    settings: RegistrySettings, signature: Any
) -> None:
    """With its model; not of what was refused, nor of what changed nothing."""
    heard = Heard()
    store = open_store(settings, heard)
    catalog = Catalog(store, now=Clock())
    catalog.create_model("flights")
    with pytest.raises(AlreadyExists):
        catalog.create_model("flights")
    catalog.register(
        "flights",
        signature=signature,
        digest="sha256:" + "0" * 64,
        served_name="flights",
        served_version="1",
    )
    for _ in range(2):
        catalog.set_alias("flights", "champion", 1)
    catalog.delete_alias("flights", "champion")
    catalog.delete_version("flights", 1)
    catalog.delete_model("flights")
    assert heard.told == [["flights", EVERYTHING]] * 6
    store.close()
