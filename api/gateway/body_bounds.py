"""Say what the body of a request may be."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class BodyBounds:
    """What a body may be."""

    max_bytes: int
    """Largest body, as it is on the wire."""
    grace_s: float
    """Time in which any body may arrive."""
    min_bytes_per_s: float
    """What each second beyond that has to bring on average; the rule is that of Apache's
    mod_reqtimeout."""
    max_held_bytes: int
    """Most bytes of all such bodies at a time, from their first byte to the end of the answer."""
    codings: tuple[str, ...] = ()
    """Content codings that the route undoes by itself, within its own bound; none by default."""

    def deadline_s(self, received: int) -> float:
        """Return how long after its start a body of which so much arrived may go on."""
        return self.grace_s + received / self.min_bytes_per_s
