"""Keep the answers to creates in a SQL database."""

import hashlib
from datetime import datetime

from sqlalchemy import ColumnElement, LargeBinary, String, delete, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Mapped, Session, mapped_column

from registry.answers import Claim, Earlier, KeptAnswer
from registry.tables import Base, Json, UtcDateTime

_SWEPT_AT_ONCE = 100
"""Forgotten keys that a claim removes: more than one, so that they do not pile up."""


class AnswerRow(Base):
    """A claimed key, with its answer when there is one."""

    __tablename__ = "answers"

    id: Mapped[str] = mapped_column(String(64), primary_key=True)
    """sha256 of scope and key, which may be longer than an index can hold."""
    fingerprint: Mapped[str] = mapped_column(String(64))
    token: Mapped[str] = mapped_column(String(64))
    begun_at: Mapped[datetime] = mapped_column(UtcDateTime)
    expires_at: Mapped[datetime] = mapped_column(UtcDateTime, index=True)
    status: Mapped[int | None]
    headers: Mapped[dict[str, str] | None] = mapped_column(Json)
    body: Mapped[bytes | None] = mapped_column(LargeBinary)

    def value(self) -> Earlier:
        """Return what the row says."""
        answer = None
        if self.status is not None:
            answer = KeptAnswer(self.status, self.headers or {}, self.body or b"")
        return Earlier(self.fingerprint, self.expires_at, answer)


class SqlAnswerRows:
    """Answers beside what was created; see `registry.answers.AnswerRows`."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def claim_key(self, claim: Claim) -> Earlier | None:
        """Take the key for this try and return None, or return the earlier try that has it."""
        _sweep(self._session, claim.now)
        try:
            with self._session.begin_nested():
                self._session.add(_row(claim))
        except IntegrityError:
            return _taken_over(self._session, claim)
        return None

    def keep_answer(self, claim: Claim, answer: KeptAnswer) -> None:
        """Keep the answer of the try, which has taken the key in this transaction."""
        kept = {"status": answer.status, "headers": dict(answer.headers), "body": answer.body}
        self._session.execute(update(AnswerRow).where(*_held_by(claim)).values(**kept))

    def free_key(self, claim: Claim) -> None:
        """Forget the key of a try that has it and has no answer; else nothing happens."""
        self._session.execute(delete(AnswerRow).where(*_held_by(claim)))


def _id(claim: Claim) -> str:
    return hashlib.sha256(f"{claim.scope}\n{claim.key}".encode()).hexdigest()


def _row(claim: Claim) -> AnswerRow:
    return AnswerRow(
        id=_id(claim),
        fingerprint=claim.fingerprint,
        token=claim.token,
        begun_at=claim.now,
        expires_at=claim.expires_at,
        status=None,
        headers=None,
        body=None,
    )


def _held_by(claim: Claim) -> tuple[ColumnElement[bool], ...]:
    unanswered = AnswerRow.status.is_(None)
    return (AnswerRow.id == _id(claim), AnswerRow.token == claim.token, unanswered)


def _taken_over(session: Session, claim: Claim) -> Earlier | None:
    """Return the earlier try, unless it is forgotten, has died or is this one."""
    row = session.scalar(select(AnswerRow).where(AnswerRow.id == _id(claim)).with_for_update())
    if row is not None:
        free = row.token == claim.token or row.begun_at < claim.abandoned_before
        if (row.status is not None or not free) and row.expires_at > claim.now:
            return row.value()
    session.merge(_row(claim))
    return None


def _sweep(session: Session, now: datetime) -> None:
    forgotten = (
        select(AnswerRow.id)
        .where(AnswerRow.expires_at <= now)
        .limit(_SWEPT_AT_ONCE)
        .with_for_update(skip_locked=True)
    )
    session.execute(delete(AnswerRow).where(AnswerRow.id.in_(forgotten)))
