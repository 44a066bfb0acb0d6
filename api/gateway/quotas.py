"""Say how many requests a caller may send."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache

from api.gateway.scopes import ScopeName


@dataclass(frozen=True, slots=True)
class Rate:
    """So many requests in any stretch of time of that length."""

    limit: int
    """Requests, at least one."""
    window_s: int
    """Length of the stretch in whole seconds, as the answers' headers tell it."""

    def __str__(self) -> str:
        return f"{self.limit}/{self.window_s}"


@dataclass(frozen=True, slots=True)
class Window:
    """One caller's requests of one kind, as they are counted."""

    name: str
    """What the quota is called in the answer's headers."""
    key: str
    """Whose requests of which kind; the same in every process."""
    rate: Rate
    """How many are allowed."""


@dataclass(frozen=True, slots=True)
class Spent:
    """A window after one request was counted, or was not because there was no room."""

    window: Window
    """What was counted."""
    remaining: int
    """Requests that there is room for now."""
    reset_s: float
    """Seconds until the oldest counted request is forgotten, which makes room for one."""
    allowed: bool
    """Whether there was room for this one."""


@dataclass(frozen=True, slots=True)
class Quotas:
    """What is allowed to whom."""

    subject: Rate | None
    """For each subject of a token."""
    address: Rate | None
    """For each address that sends no token, or one that is not accepted."""
    scopes: Mapping[ScopeName, Rate]
    """For each subject, on the routes that need the scope."""
    models: Mapping[str, Rate]
    """For each subject and model of that name; `*` stands for every model without its own."""

    def of_caller(self, subject: str | None, address: str) -> tuple[Window, ...]:
        """Return what any request of the caller counts against."""
        if subject is None:
            return _window("address", self.address, "address", address)
        return _window("subject", self.subject, "subject", subject)

    def of_route(
        self, subject: str, scopes: tuple[str, ...], model: str | None
    ) -> tuple[Window, ...]:
        """Return what a request for a route that needs `scopes` counts against besides."""
        found: tuple[Window, ...] = ()
        for name, rate in self.scopes.items():
            if name in scopes:
                found += _window(f"scope {name}", rate, "subject", subject)
        if model is not None and self.models:
            own = self.models.get(model)
            named = f"model {model}" if own else "model"
            found += _window(named, own or self.models.get("*"), "subject", subject, model)
        return found


@lru_cache(maxsize=4096)
def _window(name: str, rate: Rate | None, *whose: str) -> tuple[Window, ...]:
    """Return the window, or none without a rate.

    In the key, braces keep what one caller's request counts against on one node of a Redis
    cluster; their content cannot close them early.
    """
    if rate is None:
        return ()
    kind, who, *what = (part.replace("%", "%25").replace("}", "%7D") for part in whose)
    return (Window(name, ":".join(("{" + f"{kind}:{who}" + "}", name, *what)), rate),)
