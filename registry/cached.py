"""Answer which version is live, mostly without asking the database."""

import asyncio
import json
import random
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from registry.cache_aside import CacheAside, Question
from registry.domain import ModelRef, ModelVersion
from registry.errors import RegistryError, UnknownAlias, UnknownModel, UnknownVersion
from registry.reading import CatalogReader
from registry.targets import Target, decode_target, encode_target
from registry.version_codec import Malformed, decode_version, encode_version, read_json, typed

T = TypeVar("T")

_JITTER = 0.15
"""Share of a life that chance takes off, so that what was kept at once is not lost at once."""


@dataclass(frozen=True, slots=True)
class Lives:
    """How long answers are kept, in seconds."""

    version_s: float
    """A version by its number: it does not change, only go."""
    alias_s: float
    """The version that an alias means."""
    absent_s: float
    """That there is no such model, version or alias."""


class CachedCatalog:
    """The catalog's answers to who only wants to know, through a cache.

    Whatever was acknowledged before a question is in its answer, as long as those who change the
    catalog invalidate the model's scope before they acknowledge: `Catalog`'s `changed` does.
    """

    def __init__(
        self,
        catalog: CatalogReader,
        cache: CacheAside,
        lives: Lives,
        *,
        chance: Callable[[], float] = random.random,
    ) -> None:
        self._catalog = catalog
        self._cache = cache
        self._lives = lives
        self._chance = chance

    async def resolve(self, ref: ModelRef) -> ModelVersion:
        """Return the version that `ref` means now.

        Raises `UnknownModel`, `UnknownVersion`, `UnknownAlias`, `RegistryUnavailable`.
        """
        return await self._known(
            ref,
            "version",
            load=self._catalog.resolve,
            encode=encode_version,
            decode=lambda said: _of_ref(decode_version(said), ref),
        )

    async def target(self, ref: ModelRef) -> Target:
        """Return everything that decides which version answers `ref` now; raises as `resolve`.

        It lives as briefly as an alias, because it says where versions are placed.
        """
        return await self._known(
            ref,
            "target",
            load=self._catalog.target,
            encode=encode_target,
            decode=lambda said: _target_of_ref(decode_target(said), ref),
        )

    async def kept(self, scope: str, key: str, load: Callable[[CatalogReader], bytes]) -> bytes:
        """Return what `load` makes of the catalog, kept as briefly as an alias.

        `scope` is the model that it speaks of, `pool:NAME`, or `cache.EVERYTHING` for what speaks
        of several.
        `load` runs in a thread. Raises what it raises, which is not kept.
        """
        return await self._cache.answer(
            Question(
                scope=scope,
                key=f"made {key}",
                load=lambda: asyncio.to_thread(load, self._catalog),
                encode=bytes,
                decode=bytes,
                life_s=lambda _: self._lives.alias_s,
            )
        )

    async def _known(
        self,
        ref: ModelRef,
        what: str,
        *,
        load: Callable[[ModelRef], T],
        encode: Callable[[T], object],
        decode: Callable[[object], T],
    ) -> T:
        """Return what is known of `ref`, where it is not absent."""

        def loaded() -> T | _Absent:
            try:
                return load(ref)
            except (UnknownModel, UnknownVersion, UnknownAlias) as error:
                return _Absent(type(error).__name__, tuple(error.known))

        answer = await self._cache.answer(
            Question(
                scope=ref.name,
                key=f"{what} {ref}",
                load=lambda: asyncio.to_thread(loaded),
                encode=lambda found: _encode(found, what, encode),
                decode=lambda value: _decode(value, what, decode),
                life_s=lambda found: self._life_s(ref, found),
            )
        )
        if isinstance(answer, _Absent):
            raise answer.error(ref)
        return answer

    def _life_s(self, ref: ModelRef, found: object) -> float:
        if isinstance(found, _Absent):
            life_s = self._lives.absent_s
        elif ref.alias is not None or isinstance(found, Target):
            life_s = self._lives.alias_s
        else:
            life_s = self._lives.version_s
        return life_s * (1 - _JITTER * self._chance())


@dataclass(frozen=True, slots=True)
class _Absent:
    """The answer that there is no such thing."""

    what: str
    """Name of the error that says so."""
    known: tuple[str | int, ...]
    """What there is instead."""

    def error(self, ref: ModelRef) -> RegistryError:
        """Return the error anew: one that was raised has a traceback that grows."""
        if self.what == UnknownModel.__name__:
            return UnknownModel(ref.name, [str(name) for name in self.known])
        if self.what == UnknownVersion.__name__:
            return UnknownVersion(
                ref.name, ref.version or 0, [n for n in self.known if isinstance(n, int)]
            )
        return UnknownAlias(ref.name, ref.alias or "", [str(name) for name in self.known])


_KINDS = {UnknownModel.__name__, UnknownVersion.__name__, UnknownAlias.__name__}


def _encode(answer: T | _Absent, what: str, encode: Callable[[T], object]) -> bytes:
    if isinstance(answer, _Absent):
        said: dict[str, object] = {"absent": answer.what, "known": answer.known}
    else:
        said = {what: encode(answer)}
    return json.dumps(said, separators=(",", ":")).encode()


def _decode(value: bytes, what: str, decode: Callable[[object], T]) -> T | _Absent:
    said = read_json(value)
    if "absent" in said:
        kind = typed(said["absent"], str)
        if kind not in _KINDS:
            raise Malformed(f"no error {kind:.40}")
        return _Absent(kind, tuple(_known(each) for each in typed(said.get("known"), list)))
    return decode(said.get(what))


def _of_ref(version: ModelVersion, ref: ModelRef) -> ModelVersion:
    if version.name != ref.name or ref.version not in (None, version.version):
        raise Malformed(f"{version} is not {ref}")
    return version


def _target_of_ref(target: Target, ref: ModelRef) -> Target:
    _of_ref(target.stable.version, ref)
    return target


def _known(said: object) -> str | int:
    return typed(said, int) if isinstance(said, int) else typed(said, str)
