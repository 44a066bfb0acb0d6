"""Believe of a model what its history says, as simply as can be."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from registry.events import Event, EventKind
from registry.routes import WHOLE


@dataclass(frozen=True, slots=True)
class Split:
    """How an alias's requests are split."""

    canary: int
    share: int
    shadow: int | None
    by: str


@dataclass
class Believed:
    """What a model must be."""

    last: int = 0
    versions: dict[int, tuple[int, str]] = field(default_factory=dict)
    """Content and registrar of each."""
    aliases: dict[str, int] = field(default_factory=dict)
    protected: set[str] = field(default_factory=set)
    approvals: set[tuple[int, str]] = field(default_factory=set)
    jobs: set[int] = field(default_factory=set)
    routes: dict[str, Split] = field(default_factory=dict)
    placed: set[tuple[str, int]] = field(default_factory=set)
    there: bool = False

    def is_approved(self, number: int, by: str) -> bool:
        """Say whether a third person approved the version."""
        registrar = self.versions[number][1]
        return bool({who for n, who in self.approvals if n == number} - {by, registrar})

    def pointing_to(self, name: str, number: int) -> set[tuple[str, str]]:
        """Return all that keeps the version from being deleted."""
        aliases = {("alias", alias) for alias, n in self.aliases.items() if n == number}
        jobs = {("job", f"{name}-{n}") for n in self.jobs if n == number}
        routes = {
            ("route", f"{name}@{alias}")
            for alias, split in self.routes.items()
            if number in (split.canary, split.shadow)
        }
        return aliases | jobs | routes | {("pool", pool) for pool, n in self.placed if n == number}

    def blocks(self, alias: str, stable: int) -> bool:
        """Say whether the alias's route keeps it from being protected at that version."""
        split = self.routes.get(alias)
        if split is None or split.canary == stable:
            return False
        return not self.is_approved(split.canary, split.by)


@dataclass
class Replayed:
    """What a model is by its history, from the first event on."""

    versions: set[int | None] = field(default_factory=set)
    aliases: dict[str | None, int | None] = field(default_factory=dict)
    protected: set[str | None] = field(default_factory=set)
    routes: dict[str | None, tuple[int, int, int | None]] = field(default_factory=dict)
    """Canary, share and shadow of each alias that has one."""
    placed: set[tuple[str | None, int | None]] = field(default_factory=set)

    def moved(self, event: Event) -> None:
        """Each move leaves from where the one before arrived."""
        assert event.from_version == self.aliases.get(event.alias)
        self.aliases[event.alias] = event.version

    def deleted(self, _: Event) -> None:
        """Nothing pointed to it."""
        assert (self.aliases, self.routes, self.placed) == ({}, {}, set())
        self.versions.clear()


_EFFECTS: dict[EventKind, Callable[[Replayed, Event], object]] = {
    EventKind.MODEL_CREATED: lambda _, event: None,
    EventKind.MODEL_DELETED: Replayed.deleted,
    EventKind.VERSION_APPROVED: lambda _, event: None,
    EventKind.VERSION_REGISTERED: lambda model, event: model.versions.add(event.version),
    EventKind.VERSION_DELETED: lambda model, event: model.versions.remove(event.version),
    EventKind.ALIAS_MOVED: Replayed.moved,
    EventKind.ALIAS_DELETED: lambda model, event: model.aliases.pop(event.alias),
    EventKind.ALIAS_PROTECTED: lambda model, event: model.protected.add(event.alias),
    EventKind.ALIAS_UNPROTECTED: lambda model, event: model.protected.remove(event.alias),
    EventKind.ROUTE_SET: lambda model, event: model.routes.update({event.alias: _split(event)}),
    EventKind.ROUTE_CLEARED: lambda model, event: model.routes.pop(event.alias),
    EventKind.VERSION_PLACED: lambda model, event: model.placed.add((event.pool, event.version)),
    EventKind.VERSION_WITHDRAWN: lambda model, event: model.placed.remove(
        (event.pool, event.version)
    ),
}


def replayed(events: Iterable[Event]) -> Replayed:
    """Return what the events leave, oldest first."""
    found = Replayed()
    for event in events:
        _EFFECTS[event.kind](found, event)
    return found


def _split(event: Event) -> tuple[int, int, int | None]:
    (canary,), shadow = event.change["canaries"], event.change["shadow"]
    share = round(canary["percent"] * WHOLE / 100)
    return canary["version"], share, shadow and shadow["version"]
