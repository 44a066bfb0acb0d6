"""Check by random work that the registry, its cache and its history always agree."""

import asyncio
import threading
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory

import hypothesis
import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from registry.cache_aside import CacheAside
from registry.cache_local import LocalCache
from registry.cached import CachedCatalog, Lives
from registry.catalog import Catalog
from registry.conflicts import (
    AliasMoved,
    AliasProtected,
    ApprovalMissing,
    ApprovalRefused,
    InUse,
)
from registry.domain import ModelRef, ModelVersion, Signature, TensorSpec
from registry.errors import (
    RegistryConflict,
    RegistryError,
    UnknownAlias,
    UnknownModel,
    UnknownVersion,
)
from registry.events import replay
from registry.generations import Advanced, Audience
from registry.pages import EventFilter
from registry.port import Store
from registry.settings import RegistrySettings
from registry.store import open_store
from registry.uses import Use, UseKind
from tests.chaos.seeds import Chaos
from tests.contracts.memory_store import MemoryStore
from tests.registry.conftest import Clock

SIGNATURE = Signature((TensorSpec("x", "FP32", (-1, 1)),), (TensorSpec("y", "FP32", (-1, 1)),))
NAMES, ALIASES = ("flights", "planes"), ("champion", "challenger")
names = st.sampled_from(NAMES)
aliases = st.sampled_from(ALIASES)
people = st.sampled_from(["ada", "bob", "eve"])
numbers = st.integers(1, 5)
by_alias = st.builds(ModelRef, names, aliases, st.none())
refs = by_alias | by_alias | st.builds(ModelRef, names, st.none(), numbers)


@dataclass
class Believed:
    """What a model must be, kept as simply as can be."""

    last: int = 0
    versions: dict[int, tuple[int, str]] = field(default_factory=dict)
    aliases: dict[str, int] = field(default_factory=dict)
    protected: set[str] = field(default_factory=set)
    approvals: set[tuple[int, str]] = field(default_factory=set)
    jobs: set[int] = field(default_factory=set)
    there: bool = False


@dataclass(frozen=True, slots=True)
class Waiting:
    """A question that was asked and has no answer yet."""

    ref: ModelRef
    task: "asyncio.Task[ModelVersion]"
    commits: int
    """How many commits were acknowledged before it was asked."""


class SlowCatalog(Catalog):
    """A catalog whose next answer is held back after the database was read."""

    def hold(self) -> tuple[threading.Event, threading.Event]:
        """Return what says that the database was read, and what lets the answer go."""
        self.held = (threading.Event(), threading.Event())
        return self.held

    held: tuple[threading.Event, threading.Event] | None = None

    def resolve(self, ref: ModelRef) -> ModelVersion:
        held, self.held = self.held, None
        try:
            return super().resolve(ref)
        finally:
            if held is not None:
                held[0].set()
                assert held[1].wait(60)


class CatalogWork(RuleBasedStateMachine):
    """People who register, approve, move and delete in any order, while others ask."""

    open_store: Callable[[Audience], Store] = MemoryStore

    def __init__(self) -> None:
        super().__init__()
        self.runner = asyncio.Runner()
        self.cache = LocalCache(max_bytes=10_000, lease_s=900, fence_s=900)
        self.store = type(self).open_store(self)
        self.catalog = SlowCatalog(self.store, now=Clock())
        cache = CacheAside(self.cache, self.catalog.generation)
        self.cached = CachedCatalog(self.catalog, cache, Lives(900, 900, 900))
        self.models = {name: Believed() for name in NAMES}
        self.answers: list[dict[ModelRef, int | None]] = [{}]
        self.release: threading.Event | None = None
        self.waiting: list[Waiting] = []

    def before(self, advanced: Advanced) -> None:
        """Fence the cache as the API does, before a commit."""
        self.runner.run(self.cache.fence(advanced))

    after = before

    def acknowledged(self) -> None:
        """Note what every question means since."""
        self.answers.append({ref: self.meant(ref) for ref in _all_refs()})

    def meant(self, ref: ModelRef) -> int | None:
        model = self.models[ref.name]
        if ref.alias is not None:
            return model.aliases.get(ref.alias)
        return ref.version if ref.version in model.versions else None

    @rule(name=names, content=st.integers(1, 4), by=people)
    def register(self, name: str, content: int, by: str) -> None:
        """A file that is there gives its version; another one the next number."""
        version = self.catalog.register(
            name,
            signature=SIGNATURE,
            digest=f"sha256:{content:064x}",
            served_name=name,
            served_version="1",
            by=by,
        )
        model = self.models[name]
        model.there = True
        known = {held: number for number, (held, _) in model.versions.items()}
        if content not in known:
            model.last += 1
            model.versions[model.last] = (content, by)
        assert version.version == known.get(content, model.last)
        self.acknowledged()

    @rule(name=names, alias=aliases, number=numbers, by=people, expected=st.none() | numbers)
    def move(self, name: str, alias: str, number: int, by: str, expected: int | None) -> None:
        """An alias goes to versions that are there, from where the mover says, past its gate."""
        model = self.models[name]
        now = model.aliases.get(alias, 0)
        try:
            self.catalog.set_alias(name, alias, number, by=by, from_version=expected)
        except UnknownModel:
            assert not model.there
        except AliasMoved as error:
            assert expected not in (None, now)
            assert (error.now.version if error.now else 0) == now  # noqa: PT017  # one of several right outcomes
        except UnknownVersion:
            assert number not in model.versions
        except ApprovalMissing:
            assert alias in model.protected
            registrar = model.versions[number][1]
            assert not {who for n, who in model.approvals if n == number} - {by, registrar}
        else:
            assert expected in (None, now)
            model.aliases[alias] = number
            assert number in model.versions
            self.acknowledged()

    @rule(name=names, number=numbers, by=people)
    def approve(self, name: str, number: int, by: str) -> None:
        """Everybody may approve what somebody else registered."""
        model = self.models[name]
        try:
            self.catalog.approve(name, number, by=by)
        except UnknownModel:
            assert not model.there
        except UnknownVersion:
            assert number not in model.versions
        except ApprovalRefused:
            assert model.versions[number][1] == by
        else:
            assert model.versions[number][1] != by
            model.approvals.add((number, by))

    @rule(name=names, alias=aliases, protected=st.booleans())
    def protect(self, name: str, alias: str, protected: bool) -> None:
        """Protection is put on and taken off without moving anything."""
        model = self.models[name]
        try:
            self.catalog.protect_alias(name, alias, protected=protected)
        except UnknownModel:
            assert not model.there
        else:
            model.protected -= {alias}
            model.protected |= {alias} if protected else set()

    @rule(name=names, alias=aliases)
    def delete_alias(self, name: str, alias: str) -> None:
        """What is not protected may go."""
        model = self.models[name]
        try:
            self.catalog.delete_alias(name, alias)
        except UnknownModel:
            assert not model.there
        except UnknownAlias:
            assert alias not in model.aliases
        except AliasProtected:
            assert alias in model.protected
        else:
            assert alias not in model.protected
            del model.aliases[alias]
            self.acknowledged()

    @rule(name=names, number=numbers, ends=st.booleans())
    def job(self, name: str, number: int, ends: bool) -> None:
        """A job claims a version for as long as it runs."""
        model, job = self.models[name], f"{name}-{number}"
        if ends:
            self.catalog.release(UseKind.JOB, job)
            model.jobs -= {number}
            return
        with suppress(UnknownModel, UnknownVersion):
            self.catalog.claim(Use(UseKind.JOB, job, name, number))
            assert number in model.versions
            model.jobs |= {number}

    @rule(name=names, number=numbers)
    def delete_version(self, name: str, number: int) -> None:
        """What nothing points to may go; the error names all that does."""
        model = self.models[name]
        pointing = {("alias", a) for a, n in model.aliases.items() if n == number}
        pointing |= {("job", f"{name}-{n}") for n in model.jobs if n == number}
        try:
            self.catalog.delete_version(name, number)
        except (UnknownModel, UnknownVersion):
            assert number not in model.versions
        except InUse as error:
            assert {(each.kind, each.name) for each in error.referents} == pointing  # noqa: PT017  # one of several right outcomes
        else:
            assert not pointing
            del model.versions[number]
            self.acknowledged()

    @rule(name=names)
    def delete_model(self, name: str) -> None:
        """A model goes with its versions; its numbers are not used again."""
        model = self.models[name]
        try:
            self.catalog.delete_model(name)
        except UnknownModel:
            assert not model.there
        except InUse:
            assert model.aliases or model.jobs
        else:
            assert not model.aliases
            assert not model.jobs
            self.models[name] = Believed(last=model.last, protected=model.protected)
            self.acknowledged()

    @precondition(lambda self: self.release is None)
    @rule(ref=refs)
    def ask_slowly(self, ref: ModelRef) -> None:
        """A question whose answer was read from the database, and comes late."""
        present = self.catalog.generation(ref.name)
        # What was kept may be damaged at any time.
        damage = self.cache.keep(ref.name, f"version {ref}", b"", generation=present, life_s=900)
        self.runner.run(damage)
        read, self.release = self.catalog.hold()
        self.waiting.append(Waiting(ref, self.started(ref), len(self.answers) - 1))

        async def until_read() -> None:
            while not read.is_set():
                await asyncio.sleep(0)

        self.runner.run(until_read())

    @precondition(lambda self: self.release is not None)
    @rule(ref=refs)
    def ask_meanwhile(self, ref: ModelRef) -> None:
        """Others ask the same or something else before the late answer comes."""
        self.waiting.append(Waiting(ref, self.started(ref), len(self.answers) - 1))

    @precondition(lambda self: self.release is not None)
    @rule()
    def finish(self) -> None:
        """Every answer is what was true at some moment since its question."""
        assert self.release is not None
        self.release.set()
        self.release = None
        waiting, self.waiting = self.waiting, []
        for each in waiting:
            said = self.runner.run(_number(each.task))
            assert said in [answers.get(each.ref) for answers in self.answers[each.commits :]]

    def started(self, ref: ModelRef) -> "asyncio.Task[ModelVersion]":
        async def start() -> "asyncio.Task[ModelVersion]":
            task = asyncio.create_task(self.cached.resolve(ref))
            await asyncio.sleep(0)
            return task

        return self.runner.run(start())

    @invariant()
    def answers_are_the_last_committed(self) -> None:
        """Nobody who asks now gets an answer from before the last acknowledged change."""
        if self.release is not None:
            return
        for ref in _all_refs():
            assert self.runner.run(_number(self.cached.resolve(ref))) == self.meant(ref)

    @invariant()
    def the_history_replays_to_the_present(self) -> None:
        """Events have no gap, each move leaves from where the one before arrived."""
        for name, model in self.models.items():
            with suppress(UnknownModel):
                events = self.catalog.events(EventFilter(model=name)).items[::-1]
                assert [event.revision for event in events] == list(range(1, len(events) + 1))
                assert [event.at for event in events] == sorted(event.at for event in events)
                pointed: dict[str | None, int | None] = {}
                for event in events:
                    if event.kind.startswith("alias.") and "protected" not in event.kind:
                        assert event.from_version == pointed.get(event.alias)
                        pointed[event.alias] = event.version
                expected = {(name, alias): number for alias, number in model.aliases.items()}
                assert replay(events) == expected
            if model.there:
                found = self.catalog.aliases(name).items
                assert {alias.name: alias.version for alias in found} == model.aliases
                versions = [version.version for version in self.catalog.versions(name).items]
                assert versions == sorted(model.versions, reverse=True)
                assert set(self.catalog.model(name).protected) == model.protected

    def teardown(self) -> None:
        """Let go of whoever still waits."""
        if self.release is not None:
            self.finish()
        self.runner.close()
        self.store.close()


async def _number(asked: Awaitable[ModelVersion]) -> int | None:
    try:
        return (await asked).version
    except RegistryError as error:
        assert not isinstance(error, RegistryConflict)  # noqa: PT017  # one of several right outcomes
        return None


def _all_refs() -> list[ModelRef]:
    return [ModelRef(name, alias, None) for name in NAMES for alias in ALIASES] + [
        ModelRef(name, None, number) for name in NAMES for number in range(1, 6)
    ]


@pytest.mark.chaos
def test_the_registry_agrees_with_itself(chaos: Chaos) -> None:
    """Catalog, cache and history in memory, through any work."""
    work = hypothesis.seed(chaos.seed)(CatalogWork)
    count = chaos.count(3000, sample=25)
    run_state_machine_as_test(work, settings=settings(max_examples=count, stateful_step_count=40))


@pytest.mark.chaos
def test_the_registry_agrees_with_itself_on_sqlite(chaos: Chaos) -> None:
    """The same on a real database."""
    with TemporaryDirectory() as folder:
        opened = 0

        def fresh(audience: Audience) -> Store:
            nonlocal opened
            opened += 1
            url = f"sqlite:///{Path(folder) / f'{opened}.db'}"
            return open_store(RegistrySettings(database_url=url), audience)

        class SqliteWork(CatalogWork):
            open_store = staticmethod(fresh)

        work = hypothesis.seed(chaos.seed)(SqliteWork)
        count = chaos.count(300, sample=3)
        run_state_machine_as_test(
            work, settings=settings(max_examples=count, stateful_step_count=30)
        )
