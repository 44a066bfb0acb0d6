"""Keep the registry's rows in memory: the twin of `registry.store.SqlStore`."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from copy import deepcopy
from dataclasses import dataclass, field, replace

from registry.domain import Alias, AliasMove, Model, ModelVersion


@dataclass(slots=True)
class MemoryRows:
    """The registry's rows within one transaction."""

    found_models: dict[str, Model] = field(default_factory=dict)
    found_versions: dict[tuple[str, int], ModelVersion] = field(default_factory=dict)
    contents: dict[tuple[str, str], int] = field(default_factory=dict)
    found_aliases: dict[tuple[str, str], Alias] = field(default_factory=dict)
    found_moves: list[AliasMove] = field(default_factory=list)

    def model(self, name: str) -> Model | None:
        return self.found_models.get(name)

    def models(self) -> tuple[Model, ...]:
        return tuple(sorted(self.found_models.values(), key=lambda model: model.name))

    def lock_model(self, name: str) -> Model | None:
        return self.model(name)

    def add_model(self, model: Model) -> Model:
        return self.found_models.setdefault(model.name, model)

    def next_version(self, model: str) -> int:
        found = self.found_models[model]
        self.found_models[model] = replace(found, last_version=found.last_version + 1)
        return found.last_version + 1

    def version(self, model: str, number: int) -> ModelVersion | None:
        return self.found_versions.get((model, number))

    def versions(self, model: str) -> tuple[ModelVersion, ...]:
        numbers = sorted((n for name, n in self.found_versions if name == model), reverse=True)
        return tuple(self.found_versions[model, number] for number in numbers)

    def version_by_content(self, model: str, content: str) -> ModelVersion | None:
        return self.found_versions.get((model, self.contents.get((model, content), 0)))

    def add_version(self, version: ModelVersion, *, content: str) -> None:
        self.found_versions[version.name, version.version] = version
        self.contents[version.name, content] = version.version

    def alias(self, model: str, name: str) -> Alias | None:
        return self.found_aliases.get((model, name))

    def aliases(self, model: str) -> tuple[Alias, ...]:
        found = [alias for alias in self.found_aliases.values() if alias.model == model]
        return tuple(sorted(found, key=lambda alias: alias.name))

    def put_alias(self, alias: Alias) -> None:
        self.found_aliases[alias.model, alias.name] = alias

    def moves(self, model: str, alias: str | None) -> tuple[AliasMove, ...]:
        found = [m for m in self.found_moves if m.model == model and alias in (None, m.alias)]
        return tuple(reversed(found))

    def add_move(self, move: AliasMove) -> None:
        self.found_moves.append(move)


class MemoryStore:
    """One lock is every row's lock; a transaction works on a copy that replaces the rows."""

    def __init__(self) -> None:
        self._rows = MemoryRows()
        self._lock = threading.Lock()

    @contextmanager
    def reading(self) -> Iterator[MemoryRows]:
        with self._lock:
            snapshot = deepcopy(self._rows)
        yield snapshot

    @contextmanager
    def writing(self) -> Iterator[MemoryRows]:
        with self._lock:
            changed = deepcopy(self._rows)
            yield changed
            self._rows = changed

    def close(self) -> None:
        """Nothing is held."""
