"""Read everything that decides which version answers a request, at one moment."""

from dataclasses import dataclass
from typing import Any

from registry.domain import ModelRef, ModelVersion
from registry.lookup import require_alias, require_model, require_version
from registry.pages import VersionFilter
from registry.port import Rows
from registry.routes import Route, Share
from registry.version_codec import Malformed, decode_version, encode_version, typed

_VERSIONS = 100
"""Versions that are told of a model, the newest: what a client lists, not the history."""


@dataclass(frozen=True, slots=True)
class Placed:
    """A version with where it shall be served."""

    version: ModelVersion
    """The version."""
    pools: tuple[str, ...]
    """Pools that shall serve it, by name; empty when nobody has said so."""


@dataclass(frozen=True, slots=True)
class Target:
    """What a name means now."""

    stable: Placed
    """The version that is pinned, or that the alias points to."""
    canaries: tuple[tuple[Placed, int], ...]
    """Other versions that answer, each with its share in hundredths of a percent."""
    shadow: tuple[Placed, int] | None
    """The version that gets copies, with its share."""
    numbers: tuple[int, ...]
    """Versions that the model has, ascending; the newest of very many."""
    route_revision: int = 0
    """The model's revision at the last change of the route; 0 without one."""

    @property
    def shares(self) -> tuple[Share, ...]:
        """The canaries as the route's arithmetic wants them."""
        return tuple(Share(placed.version.version, share) for placed, share in self.canaries)


def read_target(rows: Rows, ref: ModelRef) -> Target:
    """Return what `ref` means; raises `UnknownModel`, `UnknownVersion`, `UnknownAlias`."""
    require_model(rows, ref.name)
    route: Route | None = None
    number = ref.version or 0
    if ref.alias is not None:
        number = require_alias(rows, ref.name, ref.alias).version
        route = rows.route(ref.name, ref.alias)
    shares = route.canaries if route else ()
    shadow = route.shadow if route else None
    newest = rows.versions(ref.name, VersionFilter(), after=None, limit=_VERSIONS)
    return Target(
        stable=_placed(rows, ref.name, number),
        canaries=tuple((_placed(rows, ref.name, each.version), each.share) for each in shares),
        shadow=(_placed(rows, ref.name, shadow.version), shadow.share) if shadow else None,
        numbers=tuple(sorted(each.version for each in newest)),
        route_revision=route.revision if route else 0,
    )


def encode_target(target: Target) -> dict[str, Any]:
    """Return what JSON can hold of the target: all of it."""
    return {
        "stable": _encode(target.stable),
        "canaries": [[_encode(placed), share] for placed, share in target.canaries],
        "shadow": [_encode(target.shadow[0]), target.shadow[1]] if target.shadow else None,
        "numbers": target.numbers,
        "route_revision": target.route_revision,
    }


def decode_target(said: object) -> Target:
    """Return the target; raises `Malformed` unless it has every field, each of its type."""
    given = typed(said, dict)
    try:
        return Target(
            stable=_decode(given["stable"]),
            canaries=tuple(_decode_share(each) for each in typed(given["canaries"], list)),
            shadow=None if given["shadow"] is None else _decode_share(given["shadow"]),
            numbers=tuple(typed(each, int) for each in typed(given["numbers"], list)),
            route_revision=typed(given["route_revision"], int),
        )
    except (KeyError, IndexError) as error:
        raise Malformed(f"no {error}") from error


def _placed(rows: Rows, model: str, number: int) -> Placed:
    version = require_version(rows, model, number)
    wishes = rows.placements(model=model, version=number)
    return Placed(version, tuple(sorted(wish.pool for wish in wishes)))


def _encode(placed: Placed) -> dict[str, Any]:
    return {"version": encode_version(placed.version), "pools": placed.pools}


def _decode(said: object) -> Placed:
    given = typed(said, dict)
    pools = tuple(typed(each, str) for each in typed(given["pools"], list))
    return Placed(decode_version(given["version"]), pools)


def _decode_share(said: object) -> tuple[Placed, int]:
    given = typed(said, list)
    return _decode(given[0]), typed(given[1], int)
