"""Say how a router is set up."""

from dataclasses import dataclass

from inference.breaker import BreakerLimits
from inference.settings import InferenceSettings
from inference.window import WindowLimits


@dataclass(frozen=True, slots=True)
class RouterLimits:
    """The router's knobs."""

    breaker: BreakerLimits
    """When servers are left alone."""
    window: WindowLimits
    """How many requests a server gets at one time."""
    ewma_decay_s: float
    """Time in which a latency loses 63 % of its weight."""
    full_scan_servers: int
    """Up to so many candidates are all compared, two random ones of more."""
    backoff_base_s: float
    """First pause after an overload."""
    backoff_max_s: float
    """Longest pause after an overload."""
    not_ready_recheck_s: float
    """How long a server is left out for a model it did not have ready."""
    slow_s: float
    """Time of an answer above which a server is given less at a time, and up to which more."""


def router_limits(settings: InferenceSettings) -> RouterLimits:
    """Return the router's knobs."""
    return RouterLimits(
        breaker=BreakerLimits(
            failures=settings.breaker_failures,
            failure_rate=settings.breaker_failure_rate,
            min_calls=settings.breaker_min_calls,
            window_s=settings.breaker_window_s,
            open_s=settings.breaker_open_s,
            open_max_s=settings.breaker_open_max_s,
        ),
        window=WindowLimits(initial=settings.window_initial, maximum=settings.window_max),
        ewma_decay_s=settings.ewma_decay_s,
        full_scan_servers=settings.full_scan_servers,
        backoff_base_s=settings.backoff_base_s,
        backoff_max_s=settings.backoff_max_s,
        not_ready_recheck_s=settings.not_ready_recheck_s,
        slow_s=prompt_s(settings),
    )


def prompt_s(settings: InferenceSettings) -> float:
    """Return the time in which answers are aimed at; twice that is waited."""
    return settings.attempt_timeout_s / 2
