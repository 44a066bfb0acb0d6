"""Find out what the name of a request means."""

from collections import OrderedDict
from dataclasses import dataclass

from api.online.decision import reference
from api.online.failures import of_registry
from api.online.port import NameUnknown, OnlineName
from api.online.whereabouts import Whereabouts
from registry.cached import CachedCatalog
from registry.domain import ModelRef
from registry.errors import RegistryError, RegistryUnavailable, UnknownModel
from registry.targets import Target
from telemetry.logs import logger

_log = logger(__name__)

_KEPT = 1000
"""Targets that are kept for when the registry is away."""


@dataclass(frozen=True, slots=True)
class Registered:
    """A model of the registry."""

    ref: ModelRef
    """How it was asked for."""
    target: Target
    """What that means now."""


@dataclass(frozen=True, slots=True)
class Served:
    """A model that no registry knows and a pool serves."""

    name: str
    """The name by which it is served."""
    version: str
    """The version directory; empty for the server's newest."""


class Resolver:
    """Names to versions, through the registry's cache.

    While the registry is away the last answer stands: which version is live is known, only that
    nobody has changed it since is not.
    """

    def __init__(
        self, cached: CachedCatalog, whereabouts: Whereabouts, *, default_alias: str
    ) -> None:
        self._cached = cached
        self._whereabouts = whereabouts
        self._default_alias = default_alias
        self._last: OrderedDict[ModelRef, Target] = OrderedDict()

    async def resolve(self, name: OnlineName) -> Registered | Served:
        """Return what the name means; raises `NameUnknown`, `CallRefused`, `PoolAway`."""
        ref = reference(name, default_alias=self._default_alias)
        try:
            return Registered(ref, await self._target(ref))
        except UnknownModel as error:
            served = Served(name.model, "" if name.version is None else str(name.version))
            if name.alias is None and await self._whereabouts.serving(served.name, served.version):
                return served
            raise NameUnknown(f"{error}; no pool serves {name} either") from error
        except RegistryError as error:
            raise of_registry(error) from error

    async def _target(self, ref: ModelRef) -> Target:
        try:
            target = await self._cached.target(ref)
        except RegistryUnavailable as error:
            if ref not in self._last:
                raise
            _log.warning("the registry is away: the last answer stands", model=str(ref))
            _log.debug("the registry is away", cause=str(error))
            return self._last[ref]
        self._last[ref] = target
        self._last.move_to_end(ref)
        if len(self._last) > _KEPT:
            self._last.popitem(last=False)
        return target
