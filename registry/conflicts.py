"""The errors of what is asked and does not fit what is there."""

from collections.abc import Sequence

from registry.domain import Alias
from registry.errors import RegistryConflict
from registry.uses import Referent

_LISTED_REFERENTS = 5
"""Referents shown in one error; all of them are in its field."""


class AlreadyExists(RegistryConflict):
    """The name is taken."""

    def __init__(self, what: str) -> None:
        super().__init__(what)
        self.what = what
        """`model flights`, `pool gpu`."""

    def __str__(self) -> str:
        return f"{self.what} is registered already: change it, or choose another name"


class AliasMoved(RegistryConflict):
    """The alias does not point where the caller believed: somebody else was faster."""

    def __init__(self, model: str, alias: str, now: Alias | None) -> None:
        super().__init__(model, alias, now)
        self.model = model
        self.alias = alias
        self.now = now
        """Where it points; None when there is no such alias."""

    def __str__(self) -> str:
        told = f"points to version {self.now.version}" if self.now else "does not exist"
        return (
            f"{self.model}@{self.alias} {told} now: look at its history with "
            f"`nightshift models events {self.model}`, then move it from there"
        )


class RevisionChanged(RegistryConflict):
    """The model, pool or server was changed since the caller looked."""

    def __init__(self, what: str, expected: int, now: int) -> None:
        super().__init__(what, expected, now)
        self.what = what
        """`model flights`, `pool gpu`, `server triton:8001`."""
        self.expected = expected
        """The revision that the caller saw."""
        self.now = now
        """The revision it has."""

    def __str__(self) -> str:
        return (
            f"{self.what} is at revision {self.now}, not {self.expected} any more: read it again, "
            "then repeat the change"
        )


class InUse(RegistryConflict):
    """What is to go is still pointed to."""

    def __init__(self, what: str, referents: Sequence[Referent]) -> None:
        super().__init__(what, tuple(referents))
        self.what = what
        """`flights@3`, `model flights`, `pool gpu`."""
        self.referents = tuple(referents)
        """All that point to it, by kind and name."""

    def __str__(self) -> str:
        shown = ", ".join(str(referent) for referent in self.referents[:_LISTED_REFERENTS])
        more = len(self.referents) - _LISTED_REFERENTS
        told = f"{shown} and {more} more" if more > 0 else shown
        return f"{self.what} is in use by {told}: end or move those first"


class ApprovalMissing(RegistryConflict):
    """A protected alias goes to approved versions only."""

    def __init__(self, model: str, alias: str, version: int, by: str) -> None:
        super().__init__(model, alias, version, by)
        self.model = model
        self.alias = alias
        self.version = version
        self.by = by
        """Who wanted to move it."""

    def __str__(self) -> str:
        if not self.by:
            return f"{self.model}@{self.alias} is protected: say who moves it"
        return (
            f"{self.model}@{self.alias} is protected and version {self.version} lacks the approval "
            f"of somebody other than who registered it and {self.by}: ask a third person for "
            f"`nightshift models approve {self.model}@{self.version}`"
        )


class ApprovalRefused(RegistryConflict):
    """Who wants to approve a version may not."""

    def __init__(self, model: str, version: int, by: str) -> None:
        super().__init__(model, version, by)
        self.model = model
        self.version = version
        self.by = by
        """Who wanted to approve it; empty when nobody was named."""

    def __str__(self) -> str:
        what = f"{self.model}@{self.version}"
        if not self.by:
            return f"{what} cannot be approved by nobody: say who approves it"
        return f"{what} was registered by {self.by}: have somebody else approve it"


class AliasProtected(RegistryConflict):
    """A protected alias cannot be deleted."""

    def __init__(self, model: str, alias: str) -> None:
        super().__init__(model, alias)
        self.model = model
        self.alias = alias

    def __str__(self) -> str:
        return (
            f"{self.model}@{self.alias} is protected: take its protection off first with "
            f"`nightshift models unprotect {self.model} {self.alias}`"
        )


class ApproverNeeded(RegistryConflict):
    """Who wants to change which versions answer for a protected alias may not."""

    def __init__(self, model: str, alias: str) -> None:
        super().__init__(model, alias)
        self.model = model
        self.alias = alias

    def __str__(self) -> str:
        name = f"{self.model}@{self.alias}"
        return f"{name} is protected: have somebody move it who may approve versions"


class RouteInTheWay(RegistryConflict):
    """What is asked of an alias does not go together with its route."""

    def __init__(self, model: str, alias: str, reason: str) -> None:
        super().__init__(model, alias, reason)
        self.model = model
        self.alias = alias
        self.reason = reason
        """What does not fit: a version that would not be alike, or that nobody approved."""

    def __str__(self) -> str:
        name = f"{self.model}@{self.alias}"
        return (
            f"the route of {name} is in the way, {self.reason}: change it, or end it with "
            f"`nightshift models route {name} --clear`"
        )


class ServerTaken(RegistryConflict):
    """The server belongs to another pool."""

    def __init__(self, url: str, pool: str) -> None:
        super().__init__(url, pool)
        self.url = url
        self.pool = pool
        """The pool that has it."""

    def __str__(self) -> str:
        return f"server {self.url} belongs to pool {self.pool!r}: remove it there first"
