"""Say how any route that manages something may refuse."""

from typing import Any

from api import errors
from api.gateway.authorization import GUARDED
from api.problems import refusals

ANYWHERE: dict[int | str, dict[str, Any]] = GUARDED | refusals(errors.UNAVAILABLE)
"""The `responses=` of every such router."""
