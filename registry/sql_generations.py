"""Count the generations of what the registry holds in a SQL database."""

import secrets

from sqlalchemy import BigInteger, String, select, text
from sqlalchemy.orm import Mapped, Session, mapped_column

from registry.generations import EVERYTHING, UNTOUCHED, Advanced, Generation
from registry.tables import NAME_CHARS, Base

_TOUCHED = "nightshift_touched"
_MARK_BYTES = 8
_SCOPE_CHARS = NAME_CHARS + len("pool:")
# One statement, so that no other transaction comes between the look and the insert.
_ADVANCE = text(
    "INSERT INTO generations (scope, number, mark) VALUES (:scope, 1, :mark) ON CONFLICT (scope) "
    "DO UPDATE SET number = generations.number + 1, mark = excluded.mark RETURNING number"
)


class GenerationRow(Base):
    """The present generation of a scope that something was ever written of."""

    __tablename__ = "generations"

    scope: Mapped[str] = mapped_column(String(_SCOPE_CHARS), primary_key=True)
    number: Mapped[int] = mapped_column(BigInteger)
    mark: Mapped[str] = mapped_column(String(2 * _MARK_BYTES))


class SqlGenerationRows:
    """Generations within one session; see `registry.port.GenerationRows`."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def generation(self, scope: str) -> Generation:
        """Return the scope's present generation."""
        row = self._session.execute(
            select(GenerationRow.number, GenerationRow.mark).where(GenerationRow.scope == scope)
        ).one_or_none()
        return Generation(*row) if row else UNTOUCHED

    def touch(self, *scopes: str) -> None:
        """Say that this transaction changes what these scopes hold."""
        self._session.info.setdefault(_TOUCHED, set()).update(scopes)

    def advance(self) -> Advanced:
        """Give every scope that was touched its next generation; the last thing before a commit.

        The rows are locked until then, in one order for all who write, `EVERYTHING` last: whoever
        has that waits for nobody.
        """
        touched = self._session.info.pop(_TOUCHED, set())
        if not touched:
            return {}
        advanced = {}
        for scope in (*sorted(touched), EVERYTHING):
            mark = secrets.token_hex(_MARK_BYTES)
            number = self._session.execute(_ADVANCE, {"scope": scope, "mark": mark}).scalar_one()
            advanced[scope] = Generation(number, mark)
        return advanced
