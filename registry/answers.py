"""Keep the answer to a request, so that its repetition gets the same one."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Claim:
    """A request as it is told from others, with how long that is remembered."""

    scope: str
    """Who asks for what: principal, method and path. Keys of different scopes never meet."""
    key: str
    """What the caller calls the request; a repetition has the same key."""
    fingerprint: str
    """Hash of what was sent: a repetition sends the same."""
    token: str
    """Drawn anew for each try; only the try that has the key may answer."""
    now: datetime
    """When this try was last heard of, in UTC."""
    abandoned_before: datetime
    """A try that was last heard of before this and has no answer has died: another may take its
    place."""
    expires_at: datetime
    """When the key is forgotten."""


@dataclass(frozen=True, slots=True)
class KeptAnswer:
    """What the first try was answered."""

    status: int
    """The HTTP status."""
    headers: Mapping[str, str]
    """The headers that belong to the body."""
    body: bytes
    """The body."""


@dataclass(frozen=True, slots=True)
class Earlier:
    """An earlier try of the same key."""

    fingerprint: str
    """Hash of what it sent."""
    expires_at: datetime
    """When the key is forgotten."""
    answer: KeptAnswer | None = field(default=None)
    """What it was answered; None while it is under way."""


class AnswerRows(Protocol):
    """Keys of creates with their answers, within one transaction."""

    def claim_key(self, claim: Claim) -> Earlier | None:
        """Take the key for this try and return None, or return the earlier try that has it.

        Exactly one of several tries at the same moment takes it; the others wait for the end of
        its transaction. A key that is forgotten, or whose try has died, can be taken again. A try
        that has the key already takes it anew, with a later `now` as a sign of life.
        """

    def keep_answer(self, claim: Claim, answer: KeptAnswer) -> None:
        """Keep the answer of the try, which has taken the key in this transaction."""

    def free_key(self, claim: Claim) -> None:
        """Forget the key of a try that has it and has no answer; else nothing happens."""
