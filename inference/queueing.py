"""Foresee how long requests wait for a place."""

from collections.abc import Sequence

from inference.route import ModelKey, Route


def wait_s(routes: Sequence[Route], model: ModelKey, waiting: int, now: float) -> float:
    """Return how long so many who wait for places at the model's servers will wait.

    By the places that become free there each second; 0 where nothing is known.
    """
    freed_per_s = sum(route.places_per_s() for route in routes if route.works(model, now))
    return waiting / freed_per_s if freed_per_s else 0.0


def meet(routes: Sequence[Route], one: ModelKey, other: ModelKey, now: float) -> bool:
    """Say whether requests for two models compete for places at any server."""
    return one == other or any(
        route.serves(one, now) and route.serves(other, now) for route in routes
    )
