"""Hear what a store tells of changes."""

from registry.generations import Advanced


class Heard:
    """An audience that notes what it is told; see `registry.generations.Audience`."""

    def __init__(self) -> None:
        self.told: list[list[str]] = []
        """Scopes, once for each transaction that was acknowledged."""
        self.coming: Advanced = {}
        """What was said before the last commit."""

    def before(self, advanced: Advanced) -> None:
        """Note what is coming."""
        self.coming = advanced

    def after(self, advanced: Advanced) -> None:
        """Note what is there: the same."""
        assert advanced == self.coming
        self.told.append(list(advanced))
