"""Decide which version answers a request."""

from dataclasses import dataclass
from enum import StrEnum

from api.online.port import CallRefused, OnlineName
from registry.domain import ModelRef
from registry.routes import WHOLE, canary_at, drawn, point_of
from registry.targets import Placed, Target


class Variant(StrEnum):
    """What a version is to a weighted alias."""

    NONE = ""
    STABLE = "stable"
    CANARY = "canary"
    SHADOW = "shadow"


@dataclass(frozen=True, slots=True)
class Choice:
    """The version that answers."""

    placed: Placed
    """The version with where it shall be served."""
    variant: Variant
    """What it is to the alias."""
    why: str
    """The rule that decided, in words."""


def reference(name: OnlineName, *, default_alias: str) -> ModelRef:
    """Return what the registry is asked for; raises `CallRefused` for alias with version."""
    if name.alias is not None and name.version is not None:
        raise CallRefused(
            f"{name.model}@{name.alias} with version {name.version}: ask for one of them"
        )
    if name.version is not None:
        return ModelRef(name.model, None, name.version)
    return ModelRef(name.model, name.alias or default_alias, None)


def choose(target: Target, ref: ModelRef, *, key: str, pinned: int | None, chance: float) -> Choice:
    """Return the version that answers a request; `chance` is from 0 up to 1. Pure.

    The cases, first match wins:
    1. a version is pinned: that one of the route, the shadow as well
    2. a version is named by its number, or the alias has no canary: that version
    3. there is a key: the version at the key's point, the same for every request with it
    4. the version at a point by chance
    """
    if pinned is not None:
        return _pinned(target, ref, pinned)
    if ref.alias is None:
        return Choice(target.stable, Variant.NONE, "the request names the version")
    if not target.canaries:
        told = "has only a shadow beside it" if target.shadow else "has no route"
        variant = Variant.STABLE if target.shadow else Variant.NONE
        return Choice(target.stable, variant, f"the alias points there and {told}")
    if key:
        point = point_of(f"{ref.name}@{ref.alias}", key)
        found, how = canary_at(target.shares, point), f"its sticky key lies at {_percent(point)}"
    else:
        found, how = drawn(target.shares, chance), "chance, as it has no sticky key"
    for placed, share in target.canaries:
        if found is not None and placed.version.version == found.version:
            return Choice(placed, Variant.CANARY, f"{how}; the canary has {_percent(share)}")
    left = WHOLE - sum(share for _, share in target.canaries)
    return Choice(target.stable, Variant.STABLE, f"{how}; the alias's version has {_percent(left)}")


def gets_copy(target: Target, choice: Choice, *, chance: float) -> Placed | None:
    """Return the shadow if it gets a copy of this request."""
    if target.shadow is None or choice.variant is Variant.SHADOW:
        return None
    placed, share = target.shadow
    return placed if chance * WHOLE < share else None


def _pinned(target: Target, ref: ModelRef, pinned: int) -> Choice:
    there = {target.shadow[0].version.version: Variant.SHADOW} if target.shadow else {}
    there |= {share.version: Variant.CANARY for share in target.shares}
    there[target.stable.version.version] = Variant.STABLE if ref.alias else Variant.NONE
    every = [target.stable, *(placed for placed, _ in target.canaries)]
    every += [target.shadow[0]] if target.shadow else []
    for placed in every:
        if placed.version.version == pinned:
            return Choice(placed, there[pinned], "the request pins it")
    raise CallRefused(
        f"version {pinned} cannot be pinned, {ref} is answered by "
        f"{', '.join(map(str, sorted(there)))}: pin one of these"
    )


def _percent(share: int) -> str:
    return f"{share * 100 / WHOLE:g} %"
