"""Keep the answers to creates in memory: the twin of `registry.sql_answers.SqlAnswers`."""

import threading
from dataclasses import dataclass, field

from registry.answers import Claim, Earlier, KeptAnswer


@dataclass(slots=True)
class MemoryAnswers:
    """Claims by scope and key, each as its last try left it."""

    held: dict[tuple[str, str], tuple[Claim, KeptAnswer | None]] = field(default_factory=dict)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def claim(self, claim: Claim) -> Earlier | None:
        with self.lock:
            earlier, answer = self.held.get((claim.scope, claim.key), (None, None))
            if earlier is not None and earlier.expires_at > claim.now:
                died = answer is None and earlier.now < claim.abandoned_before
                if not died:
                    return Earlier(earlier.fingerprint, earlier.expires_at, answer)
            self.held[claim.scope, claim.key] = (claim, None)
            return None

    def finish(self, claim: Claim, answer: KeptAnswer) -> None:
        with self.lock:
            if self._holds(claim):
                self.held[claim.scope, claim.key] = (claim, answer)

    def release(self, claim: Claim) -> None:
        with self.lock:
            if self._holds(claim):
                del self.held[claim.scope, claim.key]

    def _holds(self, claim: Claim) -> bool:
        earlier, _ = self.held.get((claim.scope, claim.key), (None, None))
        return earlier is not None and earlier.token == claim.token
