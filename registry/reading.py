"""Answer what is registered, which version is live and what happened."""

from datetime import datetime

from registry.domain import Alias, AliasMove, Approval, Model, ModelRef, ModelVersion
from registry.events import ALIAS_KINDS, Event, moves_of
from registry.generations import Generation
from registry.lookup import require_alias, require_model, require_pool, require_version
from registry.pages import EventFilter, ModelFilter, Page, VersionFilter, page_of
from registry.port import Rows, Store
from registry.targets import Target, read_target
from registry.uses import Use

_ALL_MODELS, _ALL_VERSIONS, _ALL_EVENTS = ModelFilter(), VersionFilter(), EventFilter()


class CatalogReader:
    """What can be asked of the registry's models.

    A list takes `limit`, the most items of one page, and `after`, the `next` of the page before;
    without a limit it is given whole.
    """

    def __init__(self, store: Store) -> None:
        self._store = store

    def resolve(self, ref: ModelRef) -> ModelVersion:
        """Return the version that `ref` means now.

        Raises `UnknownModel`, `UnknownVersion`, `UnknownAlias`.
        """
        with self._store.reading() as rows:
            require_model(rows, ref.name)
            if ref.alias is None:
                return require_version(rows, ref.name, ref.version or 0)
            return require_version(rows, ref.name, require_alias(rows, ref.name, ref.alias).version)

    def generation(self, scope: str) -> Generation:
        """Return what tells the present state of the scope from its others."""
        with self._store.reading() as rows:
            return rows.generation(scope)

    def target(self, ref: ModelRef) -> Target:
        """Return everything that decides which version answers a request for `ref`.

        Raises `UnknownModel`, `UnknownVersion`, `UnknownAlias`.
        """
        with self._store.reading() as rows:
            return read_target(rows, ref)

    def model(self, name: str) -> Model:
        """Return the model; raises `UnknownModel`."""
        with self._store.reading() as rows:
            return require_model(rows, name)

    def models(
        self,
        wanted: ModelFilter = _ALL_MODELS,
        *,
        after: str | None = None,
        limit: int | None = None,
    ) -> Page[Model, str]:
        """Return models, by name."""
        with self._store.reading() as rows:
            found = rows.models(wanted, after=after, limit=_one_more(limit))
        return page_of(found, limit, lambda model: model.name)

    def version(self, name: str, number: int) -> ModelVersion:
        """Return the version; raises `UnknownModel`, `UnknownVersion`."""
        return self.resolve(ModelRef(name, None, number))

    def versions(
        self,
        name: str,
        wanted: VersionFilter = _ALL_VERSIONS,
        *,
        after: int | None = None,
        limit: int | None = None,
    ) -> Page[ModelVersion, int]:
        """Return the model's versions, newest first; raises `UnknownModel`."""
        with self._store.reading() as rows:
            require_model(rows, name)
            found = rows.versions(name, wanted, after=after, limit=_one_more(limit))
        return page_of(found, limit, lambda version: version.version)

    def approvals(self, name: str, number: int) -> tuple[Approval, ...]:
        """Return who approved the version; raises `UnknownModel`, `UnknownVersion`."""
        with self._store.reading() as rows:
            require_model(rows, name)
            require_version(rows, name, number)
            return rows.approvals(name, number)

    def alias(self, name: str, alias: str) -> Alias:
        """Return where the alias points; raises `UnknownModel`, `UnknownAlias`."""
        with self._store.reading() as rows:
            require_model(rows, name)
            return require_alias(rows, name, alias)

    def aliases(
        self, name: str, *, after: str | None = None, limit: int | None = None
    ) -> Page[Alias, str]:
        """Return the model's aliases, by name; raises `UnknownModel`."""
        with self._store.reading() as rows:
            require_model(rows, name)
            found = rows.aliases(name, after=after, limit=_one_more(limit))
        return page_of(found, limit, lambda alias: alias.name)

    def alias_at(self, name: str, alias: str, when: datetime) -> Event | None:
        """Return the event that left the alias where it was at that moment.

        Its `version` is where the alias pointed, None when it had been deleted; with who, why and
        since when. None when it had never pointed anywhere by then. `when` has a zone. A model
        that was deleted since is remembered. Raises `UnknownModel`.
        """
        wanted = EventFilter(model=name, alias=alias, kinds=ALIAS_KINDS, until=when)
        found = self.events(wanted, limit=1).items
        return found[0] if found else None

    def events(
        self,
        wanted: EventFilter = _ALL_EVENTS,
        *,
        after: int | None = None,
        limit: int | None = None,
    ) -> Page[Event, int]:
        """Return what happened, newest first.

        What happened to a deleted model or pool is remembered. Raises `UnknownModel` or
        `UnknownPool` for one that never was.
        """
        with self._store.reading() as rows:
            found = rows.events(wanted, after=after, limit=_one_more(limit))
            if not found:
                _require_known(rows, wanted)
        return page_of(found, limit, lambda event: event.id)

    def moves(
        self, name: str, alias: str | None = None, *, limit: int | None = None
    ) -> tuple[AliasMove, ...]:
        """Return who moved the alias (or any alias), newest first; raises `UnknownModel`."""
        wanted = EventFilter(model=name, alias=alias, kinds=ALIAS_KINDS[:1])
        return moves_of(self.events(wanted, limit=limit).items)

    def uses(self, name: str) -> tuple[Use, ...]:
        """Return the jobs and routes that need the model; raises `UnknownModel`."""
        with self._store.reading() as rows:
            require_model(rows, name)
            return rows.uses(name, None)


def _require_known(rows: Rows, wanted: EventFilter) -> None:
    """Tell an empty history from a name that never was."""
    if wanted.model and not rows.events(EventFilter(model=wanted.model), after=None, limit=1):
        require_model(rows, wanted.model)
    if wanted.pool and not rows.events(EventFilter(pool=wanted.pool), after=None, limit=1):
        require_pool(rows, wanted.pool)


def _one_more(limit: int | None) -> int | None:
    return None if limit is None else limit + 1
