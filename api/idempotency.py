"""Answer the repetition of a create as the first time, without creating again.

Fails closed: where keys are kept is where creates are kept, so one is never there without the
other, and a create whose key cannot be claimed is not begun.
"""

import hashlib
import secrets
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from http import HTTPStatus
from typing import Annotated

import anyio.to_thread
from fastapi import Header, Request, Response

from api.problems import Kind, Refused
from registry.answers import Answers, Claim, Earlier, KeptAnswer

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

    answers: Answers
    """Where the first answers are kept."""
    kept_for: timedelta = timedelta(hours=24)
    """How long: a day outlasts every retry that a client makes by itself."""
    dead_after: timedelta = timedelta(minutes=10)
    """A try without an answer for so long has died with its process: twice the longest load."""

    async def once(
        self,
        request: Request,
        key: str | None,
        *,
        subject: str,
        create: Callable[[], Awaitable[Response]],
    ) -> Response:
        """Answer with what `create` returns, or with what it returned to the first try.

        `subject` is who asks. An answer that is not a success is not kept: nothing was created,
        so the same key may be tried again with what was wrong put right. Raises `Refused`.
        """
        if key is None:
            raise Refused(KEY_MISSING, "send an Idempotency-Key of your own, for example a UUID")
        claim = self._claim(request, key, subject, await request.body())
        earlier = await anyio.to_thread.run_sync(self.answers.claim, claim)
        if earlier is not None:
            return _repeated(earlier, claim)
        done = False
        try:
            response = await create()
            done = response.status_code < HTTPStatus.BAD_REQUEST
        finally:
            if not done:
                await _unhurried(lambda: self.answers.release(claim))
        await _unhurried(lambda: self.answers.finish(claim, _kept(response)))
        response.headers[EXPIRES] = format_datetime(claim.expires_at, usegmt=True)
        return response

    def _claim(self, request: Request, key: str, subject: str, body: bytes) -> Claim:
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


async def _unhurried(work: Callable[[], None]) -> None:
    """Finish in a thread even when the caller has hung up meanwhile."""
    with anyio.CancelScope(shield=True):
        await anyio.to_thread.run_sync(work)


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
