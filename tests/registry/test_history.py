"""Check by random work that the catalog's history always tells its present."""

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from registry.catalog import Catalog
from registry.domain import ModelRef, Signature, TensorSpec
from registry.errors import UnknownModel, UnknownVersion
from tests.contracts.memory_store import MemoryStore
from tests.registry.conftest import Clock

SIGNATURE = Signature((TensorSpec("x", "FP32", (-1, 1)),), (TensorSpec("y", "FP32", (-1, 1)),))
names = st.sampled_from(["flights", "planes"])
aliases = st.sampled_from(["champion", "challenger"])


class CatalogWork(RuleBasedStateMachine):
    """People who register and move aliases in any order."""

    def __init__(self) -> None:
        super().__init__()
        self.catalog = Catalog(MemoryStore(), now=Clock())
        self.digests: dict[str, list[int]] = {"flights": [], "planes": []}

    @rule(name=names, number=st.integers(1, 5))
    def register(self, name: str, number: int) -> None:
        """A file seen before gives its version; a new one the next number."""
        version = self.catalog.register(
            name,
            signature=SIGNATURE,
            digest=f"sha256:{number:064x}",
            served_name=name,
            served_version="1",
        )
        known = self.digests[name]
        if number not in known:
            known.append(number)
        assert version.version == known.index(number) + 1

    @rule(name=names, alias=aliases, number=st.integers(1, 5))
    def move(self, name: str, alias: str, number: int) -> None:
        """An alias goes to versions that exist, and to nothing else."""
        try:
            self.catalog.set_alias(name, alias, number)
        except UnknownModel:
            assert not self.digests[name]
        except UnknownVersion:
            assert number > len(self.digests[name])
        else:
            found = self.catalog.resolve(ModelRef(name, alias, None))
            assert found.version == number <= len(self.digests[name])

    @invariant()
    def history_replays_to_the_present(self) -> None:
        """Each move leaves from where the one before arrived; the last is where the alias is."""
        for model in self.catalog.models().items:
            present: dict[str, int] = {}
            for move in reversed(self.catalog.moves(model.name)):
                assert move.from_version == present.get(move.alias)
                assert move.from_version != move.to_version
                present[move.alias] = move.to_version
            assert present == {a.name: a.version for a in self.catalog.aliases(model.name).items}
            numbers = [version.version for version in self.catalog.versions(model.name).items]
            assert numbers == list(range(model.last_version, 0, -1))


TestCatalogWork = CatalogWork.TestCase
TestCatalogWork.settings = settings(max_examples=50, stateful_step_count=30, deadline=None)
