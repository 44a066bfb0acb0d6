"""The errors of the registry, each with the command that mends it.

RegistryError
├── UnknownModel          no such model; lists those there are
├── UnknownVersion        the model has no such version; lists those it has
├── UnknownAlias          the model has no such alias; lists those it has
├── UnknownPool           no such pool; lists those there are
├── UnknownServer         the pool has no such server; lists those it has
├── InvalidRegistration   what was given cannot become a version, or cannot be kept
├── RegistryUnavailable   the database cannot be opened, read or written
├── SchemaMismatch        the database's tables are not those that this program knows
└── RegistryConflict      what is asked does not fit what is there: `registry.conflicts`
    ├── AlreadyExists     the name is taken
    ├── AliasMoved        the alias does not point where the caller believed
    ├── RevisionChanged   the model, pool or server was changed since the caller looked
    ├── InUse             what is to go is still pointed to; lists by what
    ├── ApprovalMissing   a protected alias goes to approved versions only
    ├── ApprovalRefused   who wants to approve a version may not
    ├── AliasProtected    a protected alias cannot be deleted
    ├── ApproverNeeded    a protected alias is for those who may approve versions
    ├── RouteInTheWay     what is asked of an alias does not go together with its route
    └── ServerTaken       the server belongs to another pool
"""

from collections.abc import Iterable, Sequence
from difflib import get_close_matches

KNOWN_NAMES = 1000
"""Names among which a likely one is looked for: enough for a typing error, quick to read."""

_LISTED_NAMES = 10
"""Names shown in one error: more would not fit the line that a person reads."""


class RegistryError(Exception):
    """Something that the registry cannot answer or do."""


class UnknownModel(RegistryError):
    """The registry has no model of that name."""

    def __init__(self, name: str, known: Sequence[str]) -> None:
        remedy = f"register it with `nightshift models register {name} --onnx FILE`"
        super().__init__(f"unknown model {name!r}; {_listing(name, known)}; {remedy}")
        self.name = name
        self.known = tuple(known)
        """Registered models, the first by name."""

    def __reduce__(self) -> tuple[object, ...]:
        return (type(self), (self.name, self.known))


class UnknownVersion(RegistryError):
    """The model has no version of that number."""

    def __init__(self, name: str, version: int, known: Sequence[int]) -> None:
        remedy = f"see them with `nightshift models show {name}`"
        listing = _listing(str(version), [str(number) for number in known])
        super().__init__(f"model {name!r} has no version {version}; {listing}; {remedy}")
        self.name = name
        self.version = version
        self.known = tuple(known)
        """The model's newest versions."""

    def __reduce__(self) -> tuple[object, ...]:
        return (type(self), (self.name, self.version, self.known))


class UnknownAlias(RegistryError):
    """The model has no alias of that name."""

    def __init__(self, name: str, alias: str, known: Sequence[str]) -> None:
        remedy = f"set it with `nightshift models alias {name}@VERSION {alias}`"
        super().__init__(
            f"model {name!r} has no alias {alias!r}; {_listing(alias, known)}; {remedy}"
        )
        self.name = name
        self.alias = alias
        self.known = tuple(known)
        """The model's aliases."""

    def __reduce__(self) -> tuple[object, ...]:
        return (type(self), (self.name, self.alias, self.known))


class UnknownPool(RegistryError):
    """The registry has no pool of that name."""

    def __init__(self, name: str, known: Sequence[str]) -> None:
        super().__init__(name, tuple(known))
        self.name = name
        self.known = tuple(known)
        """Registered pools, the first by name."""

    def __str__(self) -> str:
        remedy = f"register it with `nightshift pools create {self.name}`"
        return f"unknown pool {self.name!r}; {_listing(self.name, self.known)}; {remedy}"


class UnknownServer(RegistryError):
    """The pool has no server of that address."""

    def __init__(self, pool: str, url: str, known: Sequence[str]) -> None:
        super().__init__(pool, url, tuple(known))
        self.pool = pool
        self.url = url
        self.known = tuple(known)
        """The pool's servers, the first by address."""

    def __str__(self) -> str:
        remedy = f"see them with `nightshift pools show {self.pool}`"
        listing = _listing(self.url, self.known)
        return f"pool {self.pool!r} has no server {self.url!r}; {listing}; {remedy}"


class InvalidRegistration(RegistryError):
    """What was given cannot become a version, or cannot be kept at all."""


class RegistryUnavailable(RegistryError):
    """The registry's database cannot be opened, read or written."""


class SchemaMismatch(RegistryError):
    """The database's tables are not those that this program knows."""


class RegistryConflict(RegistryError):
    """What is asked does not fit what is there."""


def _listing(wanted: str, known: Iterable[str]) -> str:
    names = list(known)
    if not names:
        return "there is none yet"
    likely = get_close_matches(wanted, names, n=1)
    shown = (likely + [name for name in names if name not in likely])[:_LISTED_NAMES]
    more = len(names) - len(shown)
    told = "more" if len(names) >= KNOWN_NAMES else f"{more} more"
    return "known: " + ", ".join(shown) + (f" … and {told}" if more else "")
