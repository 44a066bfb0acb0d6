"""Do random work in a registry, and check after each step that all of it agrees."""

import asyncio
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from registry.cache_aside import CacheAside
from registry.cached import CachedCatalog
from registry.catalog import Catalog
from registry.conflicts import (
    AliasMoved,
    AliasProtected,
    ApprovalMissing,
    ApprovalRefused,
    InUse,
    RouteInTheWay,
)
from registry.domain import ModelRef, ModelVersion, Signature, TensorSpec
from registry.errors import UnknownAlias, UnknownModel, UnknownVersion
from registry.events import replay
from registry.fleet import Fleet
from registry.generations import Advanced, Generation
from registry.pages import EventFilter
from registry.routes import Share
from registry.routing import Routing
from registry.targets import Target
from registry.uses import Use, UseKind
from tests.registry.believed import Believed, Split, replayed
from tests.registry.conftest import Clock
from tests.registry.places import LEASE, InMemory, Place

SIGNATURE = Signature((TensorSpec("x", "FP32", (-1, 1)),), (TensorSpec("y", "FP32", (-1, 1)),))
NAMES, ALIASES, POOLS = ("flights", "planes"), ("champion", "challenger"), ("cpu", "gpu")
names = st.sampled_from(NAMES)
aliases = st.sampled_from(ALIASES)
pools = st.sampled_from(POOLS)
people = st.sampled_from(["ada", "bob", "eve"])
numbers = st.integers(1, 2) | st.integers(1, 5)
LATE = LEASE // 2 + 1
"""Units by which an answer is late, and a lease that was begun with its question is not over."""

Meaning = tuple[object, ...] | None
"""What a question is answered: of a version its number, of a target all that decides."""


@dataclass(frozen=True, slots=True)
class Question:
    """Something that is asked through the cache."""

    ref: ModelRef
    target: bool
    """Whether all that decides is asked for, or the version alone."""

    @property
    def key(self) -> str:
        """Under what the cache keeps the answer."""
        return f"{'target' if self.target else 'version'} {self.ref}"


QUESTIONS = [
    *(
        Question(ModelRef(name, alias, None), t)
        for name in NAMES
        for alias in ALIASES
        for t in (False, True)
    ),
    *(Question(ModelRef(name, None, number), False) for name in NAMES for number in range(1, 6)),
]
questions = st.sampled_from(QUESTIONS)


@dataclass(frozen=True, slots=True)
class Waiting:
    """A question that was asked and has no answer yet."""

    question: Question
    task: "asyncio.Task[Meaning]"
    commits: int
    """How many commits were acknowledged before it was asked."""


@dataclass(frozen=True, slots=True)
class Hold:
    """An answer of the database that is held back."""

    generation: bool
    """Whether it is that of a look at a generation, or of a question."""
    read: threading.Event
    """Set once the database was read."""
    release: threading.Event
    """To be set to let the answer go."""


class SlowCatalog(Catalog):
    """A catalog whose next answer is held back after the database was read."""

    held: Hold | None = None

    def hold(self, *, generation: bool) -> Hold:
        """Hold the next look at a generation back, or the next other question."""
        self.held = Hold(generation, threading.Event(), threading.Event())
        return self.held

    def generation(self, scope: str) -> Generation:
        try:
            return super().generation(scope)
        finally:
            self._hold_back(generation=True)

    def resolve(self, ref: ModelRef) -> ModelVersion:
        try:
            return super().resolve(ref)
        finally:
            self._hold_back(generation=False)

    def target(self, ref: ModelRef) -> Target:
        try:
            return super().target(ref)
        finally:
            self._hold_back(generation=False)

    def _hold_back(self, *, generation: bool) -> None:
        held = self.held
        if held is not None and held.generation is generation:
            self.held = None
            held.read.set()
            assert held.release.wait(60)


class Work(RuleBasedStateMachine):
    """People who register, approve, move, split, place and delete in any order; others ask."""

    opened: Callable[[], Place] = InMemory

    def __init__(self) -> None:
        super().__init__()
        self.runner = asyncio.Runner()
        self.place = type(self).opened()
        self.cache = self.place.open_cache()
        self.store = self.place.open_store(self)
        clock = Clock()
        self.catalog = SlowCatalog(self.store, now=clock)
        self.fleet, self.routing = Fleet(self.store, now=clock), Routing(self.store, now=clock)
        cache = CacheAside(self.cache, self.catalog.generation)
        self.cached = CachedCatalog(self.catalog, cache, self.place.lives)
        self.models = {name: Believed() for name in NAMES}
        self.answers: list[dict[Question, Meaning]] = []
        self.release: threading.Event | None = None
        self.waiting: list[Waiting] = []
        for pool in POOLS:
            self.fleet.create_pool(pool)
        self.acknowledged()

    def before(self, advanced: Advanced) -> None:
        """Fence the cache as the API does, before a commit."""
        self.runner.run(self.cache.fence(advanced))

    after = before

    def acknowledged(self) -> None:
        """Note what every question means since."""
        self.answers.append({question: self.meant(question) for question in QUESTIONS})

    def meant(self, question: Question) -> Meaning:
        ref, model = question.ref, self.models[question.ref.name]
        number = model.aliases.get(ref.alias) if ref.alias else ref.version
        if number not in model.versions:
            return None
        if not question.target:
            return (number,)
        split = model.routes.get(ref.alias or "")
        route = split and (split.canary, split.share, split.shadow)
        return (number, route, tuple(sorted(pool for pool, n in model.placed if n == number)))

    @initialize(present=st.integers(0, 3))
    def begin(self, present: int) -> None:
        """Some work is done already, so that steps meet more than what is not there."""
        for name in NAMES[:present]:
            for content in range(1, present + 1):
                self.register(name, content, "ada")
            self.move(name, ALIASES[0], 1, "ada", None)

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
            assert not model.is_approved(number, by)
        except RouteInTheWay:
            assert alias in model.protected
            assert model.blocks(alias, number)
        else:
            assert expected in (None, now)
            assert number in model.versions
            model.aliases[alias] = number
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
        except RouteInTheWay:
            assert protected
            assert model.blocks(alias, model.aliases[alias])
        else:
            model.protected -= {alias}
            model.protected |= {alias} if protected else set()

    @rule(name=names, alias=aliases)
    def delete_alias(self, name: str, alias: str) -> None:
        """What is neither protected nor split may go."""
        model = self.models[name]
        try:
            self.catalog.delete_alias(name, alias)
        except UnknownModel:
            assert not model.there
        except UnknownAlias:
            assert alias not in model.aliases
        except AliasProtected:
            assert alias in model.protected
        except InUse:
            assert alias in model.routes
        else:
            assert alias not in model.protected
            assert alias not in model.routes
            del model.aliases[alias]
            self.acknowledged()

    @rule(
        name=names,
        alias=aliases,
        canary=numbers,
        share=st.sampled_from([1, 3333, 10_000]),
        shadow=st.none() | numbers,
        by=people,
    )
    def split(
        self, name: str, alias: str, canary: int, share: int, shadow: int | None, by: str
    ) -> None:
        """An alias that is there is split over versions that are there, past its gate."""
        model = self.models[name]
        copies = None if shadow is None else Share(shadow, 100)
        before = model.routes.get(alias)
        same = before is not None and before == Split(canary, share, shadow, before.by)
        try:
            self.routing.set_route(
                name, alias, canaries=[Share(canary, share)], shadow=copies, by=by
            )
        except UnknownModel:
            assert not model.there
        except UnknownAlias:
            assert alias not in model.aliases
        except UnknownVersion:
            assert not {canary, shadow} - {None} <= model.versions.keys()
        except ApprovalMissing:
            assert alias in model.protected
            assert not same
            assert not model.is_approved(canary, by)
        else:
            assert alias in model.aliases
            if not same:
                model.routes[alias] = Split(canary, share, shadow, by)
                assert alias not in model.protected or model.is_approved(canary, by)
            self.acknowledged()

    @rule(name=names, alias=aliases)
    def end_split(self, name: str, alias: str) -> None:
        """The alias's version answers everything again."""
        model = self.models[name]
        try:
            self.routing.clear_route(name, alias)
        except UnknownModel:
            assert not model.there
        except UnknownAlias:
            assert alias not in model.aliases
        else:
            model.routes.pop(alias, None)
            self.acknowledged()

    @rule(pool=pools, name=names, number=numbers)
    def place_version(self, pool: str, name: str, number: int) -> None:
        """A pool shall serve a version that is there."""
        model = self.models[name]
        try:
            self.fleet.place(pool, name, number)
        except (UnknownModel, UnknownVersion):
            assert number not in model.versions
        else:
            assert number in model.versions
            model.placed.add((pool, number))
            self.acknowledged()

    @rule(pool=pools, name=names, number=numbers)
    def withdraw_version(self, pool: str, name: str, number: int) -> None:
        """A pool need not serve it any more."""
        self.fleet.withdraw(pool, name, number)
        self.models[name].placed.discard((pool, number))
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
        pointing = model.pointing_to(name, number)
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
            assert model.aliases or model.jobs or model.placed
        else:
            assert (model.aliases, model.jobs, model.placed) == ({}, set(), set())
            self.models[name] = Believed(last=model.last, protected=model.protected)
            self.acknowledged()

    @rule(units=st.sampled_from([3, 15, 60]))
    def pass_time(self, units: int) -> None:
        """What is kept comes to the end of its life, what is believed to that of its lease."""
        self.place.pass_time(units)

    @precondition(lambda self: self.release is None)
    @rule()
    def forget(self) -> None:
        """The cache is emptied while nobody waits for an answer."""
        self.place.forget()

    @precondition(lambda self: self.release is None)
    @rule(question=questions)
    def ask_slowly(self, question: Question) -> None:
        """A question whose answer was read from the database, and comes late."""
        present = self.catalog.generation(question.ref.name)
        # What was kept may be damaged at any time.
        damage = self.cache.keep(
            question.ref.name, question.key, b"", generation=present, life_s=900
        )
        self.runner.run(damage)
        self.hold_back(question, generation=False)

    @precondition(lambda self: self.release is None)
    @rule(question=questions)
    def look_slowly(self, question: Question) -> None:
        """A question after a lease: the generation was read from the database, and comes late."""
        self.place.pass_time(LEASE)
        self.hold_back(question, generation=True)

    def hold_back(self, question: Question, *, generation: bool) -> None:
        held = self.catalog.hold(generation=generation)
        self.release = held.release
        self.ask(question)
        asked = self.waiting[-1].task

        async def until_read() -> None:
            while not held.read.is_set() and not asked.done():
                await asyncio.sleep(0)

        self.runner.run(until_read())

    @precondition(lambda self: self.release is not None)
    @rule(question=questions, turns=st.integers(1, 8))
    def ask_meanwhile(self, question: Question, turns: int) -> None:
        """Others ask the same or something else, and get so far, before the late answer comes."""
        self.ask(question, turns=turns)

    @precondition(lambda self: self.release is not None)
    @rule(units=st.sampled_from([0, LATE]))
    def finish(self, units: int) -> None:
        """Every answer is what was true at some moment since its question, however late it is."""
        assert self.release is not None
        self.place.pass_time(units)
        self.release.set()
        self.release = None
        waiting, self.waiting = self.waiting, []
        for each in waiting:
            said = self.runner.run(_awaited(each.task))
            assert said in [answers[each.question] for answers in self.answers[each.commits :]]

    def ask(self, question: Question, *, turns: int = 1) -> None:
        async def start() -> "asyncio.Task[Meaning]":
            task = asyncio.create_task(self.said(question))
            for _ in range(turns):
                await asyncio.sleep(0)
            return task

        task = self.runner.run(start())
        self.waiting.append(Waiting(question, task, len(self.answers) - 1))

    async def said(self, question: Question) -> Meaning:
        """Ask through the cache."""
        try:
            if not question.target:
                return ((await self.cached.resolve(question.ref)).version,)
            return _meaning(await self.cached.target(question.ref))
        except (UnknownModel, UnknownVersion, UnknownAlias):
            return None

    @invariant()
    def answers_are_the_last_committed(self) -> None:
        """Nobody who asks now gets an answer from before the last acknowledged change."""
        if self.release is not None:
            return
        for question in QUESTIONS:
            assert self.runner.run(self.said(question)) == self.meant(question)

    @invariant()
    def the_history_replays_to_the_present(self) -> None:
        """Events have no gap; every alias points to one version, as its history says."""
        for pool in POOLS:
            events = self.catalog.events(EventFilter(pool=pool)).items[::-1]
            assert [event.revision for event in events] == list(range(1, len(events) + 1))
        for name, model in self.models.items():
            with suppress(UnknownModel):
                self.check_history(name, model)
            if model.there:
                found = self.catalog.aliases(name).items
                assert [(a.name, a.version) for a in found] == sorted(model.aliases.items())
                versions = [version.version for version in self.catalog.versions(name).items]
                assert versions == sorted(model.versions, reverse=True)
                assert set(self.catalog.model(name).protected) == model.protected

    def check_history(self, name: str, model: Believed) -> None:
        events = self.catalog.events(EventFilter(model=name)).items[::-1]
        own = [event for event in events if event.pool is None]
        assert [event.revision for event in own] == list(range(1, len(own) + 1))
        assert [event.at for event in events] == sorted(event.at for event in events)
        assert replay(own) == {(name, alias): n for alias, n in model.aliases.items()}
        now = replayed(events)
        assert (now.versions, now.aliases) == (set(model.versions), model.aliases)
        assert (now.protected, now.placed) == (model.protected, model.placed)
        assert now.routes == {
            alias: (split.canary, split.share, split.shadow)
            for alias, split in model.routes.items()
        }

    def teardown(self) -> None:
        """Let go of whoever still waits."""
        if self.release is not None:
            self.finish(units=0)
        self.runner.run(self.cache.close())
        self.runner.close()
        self.store.close()


async def _awaited(task: "asyncio.Task[Meaning]") -> Meaning:
    return await task


def _meaning(target: Target) -> Meaning:
    route = None
    if target.canaries:
        ((canary, share),) = target.canaries
        shadow = target.shadow and target.shadow[0].version.version
        route = (canary.version.version, share, shadow)
    return (target.stable.version.version, route, target.stable.pools)
