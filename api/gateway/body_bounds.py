"""Say what the body of a request may be."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class BodyBounds:
    """What a body may be."""

    max_bytes: int
    """Largest body, as it is on the wire."""
    grace_s: float
    """Time in which any body may arrive."""
    pause_s: float
    """Longest time in which none of it arrives."""
    min_bytes_per_s: float
    """What each second beyond that has to bring on average; the rule is that of Apache's
    mod_reqtimeout."""
    max_held_bytes: int
    """Most bytes of all such bodies at a time, from their first byte to the end of the answer."""
    codings: tuple[str, ...] = ()
    """Content codings that the route undoes by itself, within its own bound; none by default."""

    def patience_s(self, received: int, elapsed_s: float) -> float:
        """Return how long to wait for more of a body that has brought so much in that time.

        A stop ends it soon, however much came before; a slow one goes on while it keeps its pace.
        """
        return min(self.pause_s, self.grace_s + received / self.min_bytes_per_s - elapsed_s)
