"""Lay out what a person is told of the platform. Pure."""

import shlex
from collections.abc import Mapping, Sequence

from rich.table import Table

from cli.tables import table
from cli.up.record import Running


def ready_table(servers: Sequence[Running], took: Mapping[str, float]) -> Table:
    """Return where each server is reached, and after how long it was ready."""
    rows = [(each.name, each.address, f"{took[each.name]:.1f} s") for each in servers]
    return table(("server", "address", "ready after"), rows)


def status_table(servers: Sequence[Running], states: Mapping[str, str]) -> Table:
    """Return how each server is."""
    rows = [(each.name, states[each.name], each.address, str(each.process.pid)) for each in servers]
    return table(("server", "state", "address", "process"), rows)


def export_lines(environment: Mapping[str, str]) -> list[str]:
    """Return what a shell must be told to use the platform."""
    return [f"export {name}={shlex.quote(value)}" for name, value in environment.items()]


def leftovers_line(count: int) -> str:
    """Say that so many processes were ended."""
    return f"ended {count} process{'' if count == 1 else 'es'} that an `up` had left"
