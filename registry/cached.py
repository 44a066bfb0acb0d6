"""Answer what is registered, mostly without asking the database."""

import asyncio
import json
import random
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from registry.absent import ABSENT, Absent, decode_absent, encode_absent
from registry.cache_aside import CacheAside, Question
from registry.domain import ModelRef, ModelVersion
from registry.reading import CatalogReader
from registry.targets import Target, decode_target, encode_target
from registry.version_codec import Malformed, decode_version, encode_version, read_json

T = TypeVar("T")

_JITTER = 0.15
"""Share of a life that chance takes off, so that what was kept at once is not lost at once."""
_THERE, _ABSENT = b"+", b"-"
"""How a value begins."""


@dataclass(frozen=True, slots=True)
class Lives:
    """How long answers are kept, in seconds, while nothing changes them."""

    version_s: float
    """What is registered: versions, models, lists of them."""
    alias_s: float
    """What an alias means."""
    absent_s: float
    """That there is no such model, version, alias or pool."""


class CachedCatalog:
    """The registry's answers to who only wants to know, through a cache.

    Whatever was acknowledged before a question is in its answer, as long as the store of those who
    change the registry tells the cache; see `registry.fencing`. Other changes are in it after a
    lease of the cache.
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
        return await self.kept(
            ref.name,
            f"version {ref}",
            lambda: self._catalog.resolve(ref),
            encode=lambda version: json.dumps(encode_version(version)).encode(),
            decode=lambda said: _of_ref(decode_version(read_json(said)), ref),
            by_alias=ref.alias is not None,
        )

    async def target(self, ref: ModelRef) -> Target:
        """Return everything that decides which version answers `ref` now; raises as `resolve`."""
        return await self.kept(
            ref.name,
            f"target {ref}",
            lambda: self._catalog.target(ref),
            encode=lambda target: json.dumps(encode_target(target)).encode(),
            decode=lambda said: _target_of_ref(decode_target(read_json(said)), ref),
            by_alias=True,
        )

    async def kept(
        self,
        scope: str,
        key: str,
        load: Callable[[], T],
        *,
        encode: Callable[[T], bytes],
        decode: Callable[[bytes], T],
        by_alias: bool = False,
    ) -> T:
        """Return what `load` returns, run in a thread, or what it returned before.

        `scope` is what it speaks of, see `registry.generations`; `key` tells it from everything
        else that is kept of that. `decode` raises `ValueError` for what `encode` did not write.
        With `by_alias` it lives as an alias does. Raises what `load` raises; that something is
        not registered is kept as well, shortly.
        """

        def loaded() -> T | Absent:
            try:
                return load()
            except ABSENT as error:
                return Absent.of(error)

        present_s = self._lives.alias_s if by_alias else self._lives.version_s
        answer = await self._cache.answer(
            Question(
                scope=scope,
                key=key,
                load=lambda: asyncio.to_thread(loaded),
                encode=lambda found: _encode(found, encode),
                decode=lambda value: _decode(value, decode),
                life_s=lambda found: self._life_s(found, present_s),
            )
        )
        if isinstance(answer, Absent):
            raise answer.error()
        return answer

    def _life_s(self, found: object, present_s: float) -> float:
        life_s = self._lives.absent_s if isinstance(found, Absent) else present_s
        return life_s * (1 - _JITTER * self._chance())


def _encode(answer: T | Absent, encode: Callable[[T], bytes]) -> bytes:
    if isinstance(answer, Absent):
        return _ABSENT + encode_absent(answer)
    return _THERE + encode(answer)


def _decode(value: bytes, decode: Callable[[bytes], T]) -> T | Absent:
    begin, said = value[:1], value[1:]
    if begin == _ABSENT:
        return decode_absent(said)
    if begin != _THERE:
        raise Malformed(f"nothing begins with {begin!r}")
    return decode(said)


def _of_ref(version: ModelVersion, ref: ModelRef) -> ModelVersion:
    if version.name != ref.name or ref.version not in (None, version.version):
        raise Malformed(f"{version} is not {ref}")
    return version


def _target_of_ref(target: Target, ref: ModelRef) -> Target:
    _of_ref(target.stable.version, ref)
    return target
