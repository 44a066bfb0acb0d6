"""Find out whether what the API depends on can be used now."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

from inference.errors import InferenceError, ServerUnfit
from inference.server import Server
from registry.errors import RegistryUnavailable
from registry.port import Store


class CheckFailed(Exception):
    """Something cannot be used. The words are for anyone; the cause is for the log."""


@dataclass(frozen=True, slots=True)
class Check:
    """One look at one thing."""

    name: str
    """What is looked at."""
    look: Callable[[], Awaitable[None]]
    """Raises `CheckFailed` when it cannot be used."""


@dataclass(frozen=True, slots=True)
class Missing:
    """Something that cannot be used now."""

    name: str
    """What it is."""
    reason: str
    """Why, without what only an operator may know."""
    cause: str
    """Why, in full."""


async def missing(checks: Sequence[Check], *, deadline_s: float) -> tuple[Missing, ...]:
    """Look at everything at once; return what cannot be used, in the order of `checks`."""
    found = await asyncio.gather(*(_missing(check, deadline_s) for check in checks))
    return tuple(each for each in found if each is not None)


async def _missing(check: Check, deadline_s: float) -> Missing | None:
    try:
        async with asyncio.timeout(deadline_s):
            await check.look()
    except TimeoutError:
        reason = f"did not answer within {deadline_s:g} s"
        return Missing(check.name, reason, cause=reason)
    except CheckFailed as error:
        return Missing(check.name, str(error), cause=str(error.__cause__ or error))
    return None


class RegistryLook:
    """Ask the registry's database for a row.

    One look at a time: whoever comes while one is under way waits for that, so a database that
    hangs holds one thread however often it is asked about.
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        self._under_way: asyncio.Future[None] | None = None

    async def __call__(self) -> None:
        """Raises `CheckFailed`."""
        if self._under_way is None or self._under_way.done():
            self._under_way = asyncio.ensure_future(asyncio.to_thread(self._ask))
            self._under_way.add_done_callback(_seen)
        try:
            await asyncio.shield(self._under_way)
        except RegistryUnavailable as error:
            raise CheckFailed("its database cannot be read; the log says why") from error

    def _ask(self) -> None:
        with self._store.reading() as rows:
            rows.model("")  # no model has an empty name: the cheapest row that is looked for


def _seen(look: asyncio.Future[None]) -> None:
    """Take note of the outcome, which nobody may be waiting for any more."""
    if not look.cancelled():
        look.exception()


class PoolLook:
    """Ask every Triton server of every pool until one is live.

    Without any server nothing is missing: they are registered through the API.
    """

    def __init__(self, servers: Callable[[], Sequence[Server]]) -> None:
        self._servers = servers

    async def __call__(self) -> None:
        """Raises `CheckFailed`."""
        servers = self._servers()
        if not servers:
            return
        asked = [asyncio.ensure_future(_unfit(server)) for server in servers]
        told: list[str] = []
        try:
            for answer in asyncio.as_completed(asked):
                reason = await answer
                if reason is None:
                    return
                told += [reason] if reason else []
        finally:
            for each in asked:
                each.cancel()
            await asyncio.gather(*asked, return_exceptions=True)
        names = ", ".join(server.url for server in servers)
        raise CheckFailed("; ".join([f"no server of the pool is live: {names}", *told]))


async def _unfit(server: Server) -> str | None:
    """Return None for a server that can be asked, why it never can be, or no words."""
    try:
        await server.greet()
    except ServerUnfit as error:
        return str(error)
    except InferenceError:
        return ""
    return None
