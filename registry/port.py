"""Say what the catalog needs of the place where the registry's rows are kept."""

from contextlib import AbstractContextManager
from typing import Protocol

from registry.domain import Alias, AliasMove, Model, ModelVersion


class Rows(Protocol):
    """The registry's rows within one transaction.

    Methods that name a model by `model` expect it to exist; an unknown one has no rows.
    """

    def model(self, name: str) -> Model | None:
        """Return the model, or None."""

    def models(self) -> tuple[Model, ...]:
        """Return every model, by name."""

    def lock_model(self, name: str) -> Model | None:
        """Return the model, or None, and keep other writers off it until the transaction ends."""

    def add_model(self, model: Model) -> Model:
        """Add the model unless it exists, and lock it; return it as it now is."""

    def next_version(self, model: str) -> int:
        """Raise the locked model's `last_version` by one and return it."""

    def version(self, model: str, number: int) -> ModelVersion | None:
        """Return the version, or None."""

    def versions(self, model: str) -> tuple[ModelVersion, ...]:
        """Return the model's versions, newest first."""

    def version_by_content(self, model: str, content: str) -> ModelVersion | None:
        """Return the version that was added under this content digest, or None."""

    def add_version(self, version: ModelVersion, *, content: str) -> None:
        """Add a version, with its `created_at`, to the locked model."""

    def alias(self, model: str, name: str) -> Alias | None:
        """Return the alias, or None."""

    def aliases(self, model: str) -> tuple[Alias, ...]:
        """Return the model's aliases, by name."""

    def put_alias(self, alias: Alias) -> None:
        """Add the alias to the locked model, or move it."""

    def moves(self, model: str, alias: str | None) -> tuple[AliasMove, ...]:
        """Return the history of one alias, or of all of the model's, newest first."""

    def add_move(self, move: AliasMove) -> None:
        """Add a line to the locked model's history."""


class Store(Protocol):
    """Where the registry's rows are kept.

    A transaction that ends with an exception leaves no trace. Raises `RegistryUnavailable`.
    """

    def reading(self) -> AbstractContextManager[Rows]:
        """Open a transaction that sees one consistent state."""

    def writing(self) -> AbstractContextManager[Rows]:
        """Open a transaction that may change rows, committed when the block ends."""

    def close(self) -> None:
        """Give connections back."""
