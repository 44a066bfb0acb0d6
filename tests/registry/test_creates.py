"""Creates with their answers: both or neither, and who keeps copies is told after the commit."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace

import pytest

from registry.answers import Claim, Earlier, KeptAnswer
from registry.catalog import Catalog
from registry.conflicts import AlreadyExists
from registry.creates import Creates, Rules
from registry.domain import Model
from registry.errors import RegistryUnavailable
from registry.events import EventKind
from registry.fleet import Fleet
from registry.generations import EVERYTHING
from registry.pages import EventFilter
from tests.contracts.audience import Heard
from tests.contracts.memory_store import MemoryRows, MemoryStore
from tests.contracts.test_answers import AGAIN, ANSWERED, CLAIM, RUNNING


class ForgetfulStore(MemoryStore):
    """Commits, and loses the acknowledgement once it is told to."""

    loses = False

    @contextmanager
    def writing(self) -> Iterator[MemoryRows]:
        with super().writing() as rows:
            yield rows
        if self.loses:
            raise RegistryUnavailable("the connection broke")


@dataclass
class Work:
    """Makes the model flights, and notes who is told of it."""

    heard: Heard = field(default_factory=Heard)
    store: ForgetfulStore = field(init=False)

    def __post_init__(self) -> None:
        self.store = ForgetfulStore(self.heard)

    def create(self, claim: Claim) -> Model | Earlier:
        return Creates(self.store).once(claim, self._make, answer=_answer)

    def _make(self, rules: Rules) -> Model:
        model = rules.catalog.create_model("flights", by="ada")
        rules.fleet.create_pool("gpu", by="ada")
        assert self.heard.told == []
        return rules.catalog.change_model(model.name, description="delays", by="ada")

    def kinds(self) -> list[str]:
        events = Catalog(self.store).events(EventFilter(model="flights")).items[::-1]
        return [event.kind for event in events]


def _answer(model: Model) -> KeptAnswer:
    return KeptAnswer(201, {}, model.name.encode())


KEPT = replace(ANSWERED, answer=KeptAnswer(201, {}, b"flights"))
TOLD = [["flights", "pool:gpu", EVERYTHING]]
MADE = [EventKind.MODEL_CREATED, EventKind.MODEL_CHANGED]


def test_what_was_made_is_made_once() -> None:
    """The repetition gets the answer; each scope is told of once, after the commit."""
    work = Work()
    assert work.create(CLAIM) == Catalog(work.store).model("flights")
    assert work.heard.told == TOLD
    assert work.create(AGAIN) == KEPT
    assert (work.kinds(), work.heard.told) == (MADE, TOLD)


def test_an_error_leaves_nothing() -> None:
    """Neither what was made before it nor the key; nobody is told."""
    work = Work()
    Fleet(work.store).create_pool("gpu")
    work.heard.told.clear()
    with pytest.raises(AlreadyExists, match="pool gpu"):
        work.create(CLAIM)
    assert (Catalog(work.store).models().items, work.heard.told) == ((), [])
    Fleet(work.store).delete_pool("gpu")
    work.heard.told.clear()
    assert isinstance(work.create(AGAIN), Model)


def test_a_lost_acknowledgement_loses_no_answer() -> None:
    """Whoever was told that the registry is away gets the answer when they ask again."""
    work = Work()
    work.store.loses = True
    with pytest.raises(RegistryUnavailable):
        work.create(CLAIM)
    assert work.heard.told == TOLD
    with pytest.raises(RegistryUnavailable):
        Creates(work.store).release(CLAIM)
    work.store.loses = False
    assert work.create(AGAIN) == KEPT
    assert work.kinds() == MADE


def test_who_was_overtaken_makes_nothing() -> None:
    """The key was claimed by another try while this one seemed dead."""
    work = Work()
    creates = Creates(work.store)
    assert creates.claim(CLAIM) is None
    assert creates.claim(replace(AGAIN, abandoned_before=CLAIM.expires_at)) is None
    assert work.create(CLAIM) == RUNNING
    assert Catalog(work.store).models().items == ()
    creates.release(CLAIM)
    assert creates.claim(replace(CLAIM, token="three")) == RUNNING
