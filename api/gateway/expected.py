"""Say what the claims of an accepted token are."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Expected:
    """What the claims of an accepted token are."""

    issuer: str
    """`iss`, exactly."""
    audience: str
    """One of `aud`."""
    leeway_s: float
    """How far the issuer's clock may be from ours."""
