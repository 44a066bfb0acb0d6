"""The errors of the registry, each with the command that mends it.

RegistryError
├── UnknownModel          no such model; lists those there are
├── UnknownVersion        the model has no such version; lists those it has
├── UnknownAlias          the model has no such alias; lists those it has
├── InvalidRegistration   what was given cannot become a version
└── RegistryUnavailable   the database cannot be opened, read or written
"""

from collections.abc import Iterable, Sequence
from difflib import get_close_matches

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
        """Every registered model."""

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
        """The model's versions, newest first."""

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


class InvalidRegistration(RegistryError):
    """What was given cannot become a version."""


class RegistryUnavailable(RegistryError):
    """The registry's database cannot be opened, read or written."""


def _listing(wanted: str, known: Iterable[str]) -> str:
    names = list(known)
    if not names:
        return "there is none yet"
    likely = get_close_matches(wanted, names, n=1)
    shown = (likely + [name for name in names if name not in likely])[:_LISTED_NAMES]
    more = len(names) - len(shown)
    return "known: " + ", ".join(shown) + (f" … and {more} more" if more else "")
