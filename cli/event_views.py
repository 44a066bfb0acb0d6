"""Show what happened to models and pools."""

import json
from collections.abc import Sequence
from dataclasses import asdict
from datetime import datetime

import typer
from rich.console import Console

from cli.tables import table
from registry.events import Event, EventKind
from registry.pages import Page


def parse_kinds(names: Sequence[str]) -> tuple[EventKind, ...]:
    """Read kinds of events; raises `typer.BadParameter`."""
    known = [str(kind) for kind in EventKind]
    for name in names:
        if name not in known:
            raise typer.BadParameter(f"no kind {name!r}: choose from {', '.join(known)}")
    return tuple(map(EventKind, names))


def events_json(found: Event | Sequence[Event]) -> str:
    """Return one event or several as JSON, times in ISO 8601."""
    told = asdict(found) if isinstance(found, Event) else [asdict(event) for event in found]
    return json.dumps(told, indent=2, default=datetime.isoformat, ensure_ascii=False)


def show(found: Page[Event, int], *, as_json: bool) -> None:
    """Print a page of events."""
    if as_json:
        typer.echo(events_json(found.items))
        return
    if not found.items:
        typer.echo("nothing of that kind happened")
        return
    rows = [_row(event) for event in found.items]
    Console().print(table(("when (UTC)", "what", "of", "by", "why"), rows, unbroken=2))
    if found.next is not None:
        typer.echo("… and earlier ones: --limit shows more")


def pointed(event: Event, when: datetime) -> str:
    """Say where an alias pointed at a moment, of the event that left it there."""
    where = "nowhere" if event.version is None else f"version {event.version}"
    did = "deleted" if event.version is None else "moved there"
    left = f" from version {event.from_version}" if event.from_version else ""
    by = f" by {event.by}" if event.by else ""
    why = f": {event.why}" if event.why else ""
    return (
        f"{event.model}@{event.alias} was {where} on {_second(when)} UTC, {did}{left} on "
        f"{_second(event.at)}{by}{why}"
    )


def _row(event: Event) -> tuple[str, ...]:
    return (_second(event.at), event.kind, _of(event), event.by, event.why)


def _of(event: Event) -> str:
    """Name what the event is of: a server, a move, a version, changed fields."""
    if event.server is not None:
        return event.server
    if event.alias is not None and event.kind in (EventKind.ALIAS_MOVED, EventKind.ALIAS_DELETED):
        return f"{event.alias}: {event.from_version or '–'} → {event.version or '–'}"
    if event.alias is not None:
        return event.alias
    if event.version is not None:
        placed = f" in {event.pool}" if event.pool else ""
        return f"{event.model}@{event.version}{placed}"
    return ", ".join(event.change)


def _second(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%d %H:%M:%S")
