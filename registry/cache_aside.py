"""Ask the cache first, then the database, and keep what that said."""

import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Generic, TypeVar, cast

from registry.cache import Cache, CacheUnavailable
from registry.shared_reads import SharedReads

_log = logging.getLogger(__name__)

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Question(Generic[T]):
    """Something that the database answers, and whose answer may be kept."""

    scope: str
    """What has to change for another answer: a model's name, or `cache.EVERYTHING`."""
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

    def __init__(self, cache: Cache) -> None:
        self._cache = cache
        self._reads: SharedReads[object] = SharedReads()

    async def answer(self, question: Question[T]) -> T:
        """Return the answer; raises what `load` raises."""
        try:
            held = await self._cache.read(question.scope, question.key)
        except CacheUnavailable:
            pass
        else:
            found = _decoded(question, held.value)
            if found is not None:
                return found[0]
        place = (question.scope, question.key)
        answer = await self._reads.read(place, lambda: self._loaded(question))
        return cast("T", answer)  # one place is always asked with the same question

    async def _loaded(self, question: Question[T]) -> T:
        """Ask the database; the token that fences the answer is obtained before."""
        try:
            held = await self._cache.read(question.scope, question.key)
        except CacheUnavailable:
            return await question.load()
        found = _decoded(question, held.value)
        if found is not None:
            return found[0]
        answer = await question.load()
        value, life_s = question.encode(answer), question.life_s(answer)
        try:
            await self._cache.keep(
                question.scope, question.key, value, token=held.token, life_s=life_s
            )
        except CacheUnavailable:
            _log.debug("not kept: %s in %s", question.key, question.scope)
        return answer


def _decoded(question: Question[T], value: bytes | None) -> tuple[T] | None:
    if value is None:
        return None
    try:
        return (question.decode(value),)
    except ValueError as error:
        _log.warning("the cache held nonsense of %s: %s", question.key, error)
        return None
