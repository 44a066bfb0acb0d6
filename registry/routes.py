"""Say over which versions an alias is weighted, without I/O."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from registry.domain import ModelVersion
from registry.errors import InvalidRegistration

WHOLE = 10_000
"""All requests: shares are counted in hundredths of a percent."""
MOST_CANARIES = 8
"""Versions that an alias may be weighted over besides its own: each is one more to be watched."""


@dataclass(frozen=True, slots=True)
class Share:
    """A version with its part of an alias's requests."""

    version: int
    """The version."""
    share: int
    """Hundredths of a percent, 1 to 10,000."""


@dataclass(frozen=True, slots=True)
class Route:
    """How an alias's requests are split; the version it points to gets what is left."""

    model: str
    """The registered model."""
    alias: str
    """The alias."""
    canaries: tuple[Share, ...]
    """Versions that answer for their share of the requests, ascending."""
    shadow: Share | None
    """A version that gets a copy of its share of the requests, whose answers are dropped."""
    changed_at: datetime
    """When it was last changed, in UTC."""
    changed_by: str = ""
    """Who did that."""
    revision: int = 0
    """The model's revision at that change."""

    def __str__(self) -> str:
        return f"{self.model}@{self.alias}"

    @property
    def versions(self) -> tuple[int, ...]:
        """The versions that it names, ascending."""
        shadow = (self.shadow.version,) if self.shadow else ()
        return tuple(sorted({*(canary.version for canary in self.canaries), *shadow}))


def check_split(canaries: Sequence[Share], shadow: Share | None) -> tuple[Share, ...]:
    """Return the canaries in their order, or raise `InvalidRegistration`."""
    versions = [canary.version for canary in canaries]
    shares = [canary.share for canary in canaries] + ([shadow.share] if shadow else [])
    if not canaries and shadow is None:
        raise InvalidRegistration("a route names no version: give a canary, a shadow or both")
    if len(versions) > MOST_CANARIES or len(set(versions)) != len(versions):
        raise InvalidRegistration(
            f"a route has {len(versions)} canaries: name at most {MOST_CANARIES}, each once"
        )
    if any(not 0 < share <= WHOLE for share in shares) or sum(shares[: len(versions)]) > WHOLE:
        raise InvalidRegistration(
            "the shares of a route do not fit: each is above 0 and the canaries' sum at most 100 %"
        )
    return tuple(sorted(canaries, key=lambda canary: canary.version))


def misfit(stable: ModelVersion, other: ModelVersion) -> str | None:
    """Say why callers of `stable` could tell that `other` answered them; None when they cannot.

    What a caller may send follows from the alias's version, the number of rows too: another
    version that takes fewer of them would refuse what was allowed.
    """
    mine, theirs = stable.signature, other.signature
    if (mine.inputs, mine.outputs) != (theirs.inputs, theirs.outputs):
        return f"{other} takes or gives something else than {stable}"
    if theirs.max_batch_size and not 0 < mine.max_batch_size <= theirs.max_batch_size:
        most = mine.max_batch_size or "any number of them"
        return f"{other} takes at most {theirs.max_batch_size} rows at a time, {stable} {most}"
    return None


def point_of(route: str, key: str) -> int:
    """Return where requests with this key lie on the line from 0 up to `WHOLE`.

    The same in every process and at every time. `route` keeps one key from being among the
    first for every alias.
    """
    digest = hashlib.blake2b(f"{route}\0{key}".encode(), digest_size=8).digest()
    return int.from_bytes(digest) * WHOLE >> 64


def canary_at(canaries: Sequence[Share], point: int) -> Share | None:
    """Return the canary that answers at this point of the line, None for the alias's version.

    Canaries lie at the line's beginning, one behind the other. So while their sum grows no point
    leaves them: whoever has seen a canary does not see the alias's version again.
    """
    end = 0
    for canary in canaries:
        end += canary.share
        if point < end:
            return canary
    return None


def drawn(canaries: Sequence[Share], chance: float) -> Share | None:
    """Return the canary that answers a request without a key; `chance` is from 0 up to 1."""
    return canary_at(canaries, int(chance * WHOLE))
