"""Answer the repetition of a create as the first time, without creating again.

Fails closed: a create and its answer are committed together, so one is never there without the
other, whatever dies.
"""

import asyncio
import hashlib
import secrets
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from functools import partial
from http import HTTPStatus
from typing import Annotated, TypeVar

from anyio import CancelScope, Event, move_on_after
from anyio.to_thread import run_sync
from fastapi import Header, Request, Response

from api.problems import Kind, Refused
from registry.answers import Claim, Earlier, KeptAnswer
from registry.creates import Creates, Rules
from registry.errors import RegistryUnavailable

T = TypeVar("T")

KEY_MISSING = Kind(
    "idempotency-key-missing",
    HTTPStatus.BAD_REQUEST,
    "Idempotency-Key is missing",
    "A create needs an Idempotency-Key: without one it could not be repeated safely.",
)
KEY_REUSED = Kind(
    "idempotency-key-reused",
    HTTPStatus.UNPROCESSABLE_ENTITY,
    "Idempotency-Key was used for something else",
    "The same Idempotency-Key came with another body before.",
)
STILL_RUNNING = Kind(
    "idempotent-request-running",
    HTTPStatus.CONFLICT,
    "The first request is still running",
    "A request with the same Idempotency-Key has no answer yet: ask again later.",
)
KINDS = (KEY_MISSING, KEY_REUSED, STILL_RUNNING)

EXPIRES = "Idempotency-Key-Expires"
REPLAYED = "Idempotency-Replayed"
_KEPT_HEADERS = ("content-type", "etag", "location")
_RETRY_AFTER_S = 1
"""A create takes milliseconds, registering a server a second or two."""

IdempotencyKey = Annotated[
    str | None,
    Header(
        min_length=1,
        max_length=255,
        pattern=r"^[!-~]+$",
        description="Any text of your own that names this create, a UUID for example. Repeated "
        f"with the same body within 24 hours (the `{EXPIRES}` header says until when) it gets "
        f"the first answer again, marked `{REPLAYED}: true`. It counts for one caller on one "
        "path.",
        examples=["8d2f0a34-9f5b-4b7e-9f7c-0c5a3c5f1d10"],
    ),
]


@dataclass(frozen=True, slots=True)
class Repeats:
    """How repetitions of creates are recognised."""

    creates: Creates
    """What is made with its answer."""
    kept_for: timedelta = timedelta(hours=24)
    """How long an answer is kept: a day outlasts every retry that a client makes by itself."""
    dead_after: timedelta = timedelta(seconds=30)
    """A try without a sign of life for so long has died with its process. One that only seems to
    have is not doubled: it makes nothing any more."""

    async def once(
        self,
        request: Request,
        key: str | None,
        *,
        subject: str,
        create: Callable[[Rules], Response],
    ) -> Response:
        """Answer with what `create` returns, or with what it returned to the first try.

        `create` is run in a thread, in one transaction with its answer: it does nothing but what
        the rules do. A repetition at the same moment waits for the first. `subject` is who asks.
        What `create` raises is not kept: nothing was created, so the same key may be tried again
        with what was wrong put right. Raises `Refused`.
        """
        claim = self._claim(request, key, subject, await request.body())
        return await self._created(claim, create)

    async def once_after(
        self,
        request: Request,
        key: str | None,
        *,
        subject: str,
        look: Callable[[], Awaitable[T]],
        create: Callable[[Rules, T], Response],
    ) -> Response:
        """Do as `once` after `look`, which asks others than the database; safe to repeat.

        Meanwhile repetitions are told that the first is still running. When its process dies, they
        are until it has shown no sign of life for `dead_after`; then one of them looks again.
        """
        claim = self._claim(request, key, subject, await request.body())
        earlier = await run_sync(self.creates.claim, claim)
        if earlier is not None:
            return _repeated(earlier, claim)
        done = False
        try:
            async with self._alive(claim):
                found = await look()
            response = await self._created(claim, lambda rules: create(rules, found))
            done = True
        finally:
            if not done:
                with CancelScope(shield=True):
                    await run_sync(self.creates.release, claim)
        return response

    async def _created(self, claim: Claim, create: Callable[[Rules], Response]) -> Response:
        made = await run_sync(partial(self.creates.once, claim, create, answer=_kept))
        if isinstance(made, Earlier):
            return _repeated(made, claim)
        made.headers[EXPIRES] = format_datetime(claim.expires_at, usegmt=True)
        return made

    @asynccontextmanager
    async def _alive(self, claim: Claim) -> AsyncIterator[None]:
        """Give signs of life of the try for the length of the block."""
        ended = Event()
        task = asyncio.create_task(self._give_signs(claim, ended), name="signs-of-life")
        try:
            yield
        finally:
            ended.set()
            with CancelScope(shield=True):
                await task

    async def _give_signs(self, claim: Claim, ended: Event) -> None:
        while True:
            with move_on_after(self.dead_after.total_seconds() / 3):
                await ended.wait()
            if ended.is_set():
                return
            now = datetime.now(UTC)
            sign = replace(claim, now=now, abandoned_before=now - self.dead_after)
            with suppress(RegistryUnavailable):  # whoever creates afterwards is told
                await run_sync(self.creates.claim, sign)

    def _claim(self, request: Request, key: str | None, subject: str, body: bytes) -> Claim:
        if key is None:
            raise Refused(KEY_MISSING, "send an Idempotency-Key of your own, for example a UUID")
        now = datetime.now(UTC)
        return Claim(
            scope=f"{subject} {request.method} {request.url.path}",
            key=key,
            fingerprint=hashlib.sha256(body).hexdigest(),
            token=secrets.token_hex(16),
            now=now,
            abandoned_before=now - self.dead_after,
            expires_at=now + self.kept_for,
        )


def _kept(response: Response) -> KeptAnswer:
    headers = {name: response.headers[name] for name in _KEPT_HEADERS if name in response.headers}
    return KeptAnswer(response.status_code, headers, bytes(response.body))


def _repeated(earlier: Earlier, claim: Claim) -> Response:
    if earlier.fingerprint != claim.fingerprint:
        raise Refused(
            KEY_REUSED,
            "this Idempotency-Key came with another body before: take a new key for a new create",
        )
    if earlier.answer is None:
        raise Refused(
            STILL_RUNNING,
            "the first request with this Idempotency-Key is still running: ask again in a second",
            headers={"Retry-After": str(_RETRY_AFTER_S)},
        )
    headers = {
        **earlier.answer.headers,
        EXPIRES: format_datetime(earlier.expires_at, usegmt=True),
        REPLAYED: "true",
    }
    return Response(earlier.answer.body, status_code=earlier.answer.status, headers=headers)
