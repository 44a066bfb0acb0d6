"""Ask the cache first, then the database, and keep what that said."""

import asyncio
import logging
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Generic, TypeVar, cast

from registry.cache import Cache, CacheUnavailable, Held
from registry.generations import Generation
from registry.shared_reads import SharedReads

_log = logging.getLogger(__name__)

T = TypeVar("T")

_MOST_READ = 1000
"""Values that need not be read again while they stay the same."""
_LONGEST_READ = 65_536
"""Bytes of the longest of them."""


@dataclass(frozen=True, slots=True)
class Question(Generic[T]):
    """Something that the database answers, and whose answer may be kept."""

    scope: str
    """What has to change for another answer; see `registry.generations`."""
    key: str
    """What is asked within the scope."""
    load: Callable[[], Awaitable[T]]
    """Ask the database."""
    encode: Callable[[T], bytes]
    """Write an answer."""
    decode: Callable[[bytes], T]
    """Read what was written; raises `ValueError` for anything else."""
    life_s: Callable[[T], float]
    """How long an answer is kept."""


class CacheAside:
    """Answers from the cache where it has them, else from the database, one read for all who ask.

    Fails open: a cache that is away or damaged makes answers slower, never wrong.
    """

    def __init__(self, cache: Cache, look: Callable[[str], Generation]) -> None:
        """Ask `look` in a thread for a scope's generation in the database."""
        self._cache = cache
        self._look = look
        self._reads: SharedReads[object] = SharedReads()
        self._looks: SharedReads[None] = SharedReads()
        self._read: OrderedDict[tuple[str, str], tuple[bytes, object]] = OrderedDict()

    async def answer(self, question: Question[T]) -> T:
        """Return the answer; raises what `load` raises."""
        try:
            held = await self._cache.read(question.scope, question.key)
        except CacheUnavailable:
            pass
        else:
            found = self._decoded(question, held.value)
            if found is not None:
                return found[0]
        place = (question.scope, question.key)
        answer = await self._reads.read(place, lambda: self._loaded(question))
        return cast("T", answer)  # one place is always asked with the same question

    async def _loaded(self, question: Question[T]) -> T:
        """Ask the database; the generation that the answer is kept under is read before it."""
        try:
            held = await self._leased(question.scope, question.key)
        except CacheUnavailable:
            return await question.load()
        found = self._decoded(question, held.value)
        if found is not None:
            return found[0]
        answer = await question.load()
        if held.generation is not None:
            await self._keep(question, answer, held.generation)
        return answer

    async def _leased(self, scope: str, key: str) -> Held:
        """Return what the cache holds once it knows the scope's generation, if it will."""
        held = await self._cache.read(scope, key)
        if held.generation is not None:
            return held
        await self._looks.read(scope, lambda: self._renewed(scope))
        return await self._cache.read(scope, key)

    async def _renewed(self, scope: str) -> None:
        since = await self._cache.now()
        generation = await asyncio.to_thread(self._look, scope)
        await self._cache.believe(scope, generation, since=since)

    async def _keep(self, question: Question[T], answer: T, generation: Generation) -> None:
        value, life_s = question.encode(answer), question.life_s(answer)
        try:
            await self._cache.keep(
                question.scope, question.key, value, generation=generation, life_s=life_s
            )
        except CacheUnavailable:
            _log.debug("not kept: %s in %s", question.key, question.scope)

    def _decoded(self, question: Question[T], value: bytes | None) -> tuple[T] | None:
        if value is None:
            return None
        place = (question.scope, question.key)
        read = self._read.get(place)
        # Reading takes longer than asking; the same bytes say the same.
        if read is not None and read[0] == value:
            return (cast("T", read[1]),)
        try:
            answer = question.decode(value)
        except ValueError as error:
            _log.warning("the cache held nonsense of %s: %s", question.key, error)
            return None
        if len(value) <= _LONGEST_READ:
            self._read[place] = (value, answer)
            self._read.move_to_end(place)
            if len(self._read) > _MOST_READ:
                self._read.popitem(last=False)
        return (answer,)
