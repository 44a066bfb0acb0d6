"""Decide when too many rows of a job have gone to the quarantine."""

from collections import Counter
from collections.abc import Iterable, Mapping
from decimal import Decimal

from flows.errors import BudgetExceeded


class ErrorBudget:
    """How many rows a job may still quarantine; shards that run again are counted once."""

    def __init__(
        self, *, total_rows: int, max_fraction: float | None, max_rows: int | None
    ) -> None:
        """Allow the smaller of the limits that are given, and no row at all without one."""
        limits = [max_rows] if max_rows is not None else []
        if max_fraction is not None:
            # As a person writes it: 0.29 of 100 rows are 29, and not the 28 of binary fractions.
            limits.append(int(total_rows * Decimal(repr(max_fraction))))
        self.allowed = min(limits, default=0)
        self._charged: dict[int, Counter[str]] = {}
        self._elsewhere = 0

    @property
    def spent(self) -> int:
        """Rows quarantined so far."""
        return self._elsewhere + sum(reasons.total() for reasons in self._charged.values())

    @property
    def remaining(self) -> int:
        """Rows that may still be quarantined; never negative."""
        return max(self.allowed - self.spent, 0)

    def charge(self, shard: int, reasons: Iterable[str]) -> None:
        """Count one quarantined row of `shard` for each of `reasons`; raises `BudgetExceeded`."""
        self.charge_counted(shard, Counter(reasons))

    def charge_counted(self, shard: int, reasons: Mapping[str, int]) -> None:
        """Count rows of `shard` by reason; raises `BudgetExceeded`."""
        self._charged.setdefault(shard, Counter()).update(reasons)
        if self.spent > self.allowed:
            raise self.exceeded()

    def charge_elsewhere(self, rows: int) -> None:
        """Count rows that other processes have quarantined; raises `BudgetExceeded`."""
        self._elsewhere = rows
        if self.spent > self.allowed:
            raise self.exceeded()

    def forget(self, shard: int) -> None:
        """Take back what `shard` was charged, because it starts again."""
        self._charged.pop(shard, None)

    def exceeded(self, more: Iterable[str] = ()) -> BudgetExceeded:
        """Return the error to raise, `more` being reasons that were not charged yet."""
        reasons = Counter(more)
        for counted in self._charged.values():
            reasons.update(counted)
        return BudgetExceeded(
            quarantined=self._elsewhere + reasons.total(),
            allowed=self.allowed,
            reasons=[f"{count:,} × {reason}" for reason, count in reasons.most_common(3)],
        )
