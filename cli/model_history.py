"""Show what happened to a model, and where its aliases pointed."""

from typing import Annotated

import typer

from cli.options import MOMENT_FORM, AliasName, AsJson, Limit, Name, parse_moment

# Commands import what they use when they run, so that help shows at once.


def at(
    name: Name,
    alias: AliasName,
    moment: Annotated[str, typer.Argument(metavar="MOMENT", help=f"{MOMENT_FORM}.")],
    as_json: AsJson = False,
) -> None:
    """Show which version an alias was at a moment.

    With since when, by whose doing and why; also where the model was deleted since.
    """
    from cli import event_views
    from cli.catalog import opened_registry
    from cli.stack.errors import NothingThen

    when = parse_moment(moment)
    with opened_registry(existing=True) as catalog:
        event = catalog.alias_at(name, alias, when)
    if event is None:
        raise NothingThen(name, alias, when)
    if as_json:
        typer.echo(event_views.events_json(event))
    else:
        typer.echo(event_views.pointed(event, when))


def events(
    name: Name,
    alias: Annotated[
        str | None, typer.Option(metavar="ALIAS", help="What happened to this alias.")
    ] = None,
    version: Annotated[
        int | None,
        typer.Option(min=1, metavar="N", help="What happened to this version, moves to it too."),
    ] = None,
    kind: Annotated[
        list[str] | None,
        typer.Option(metavar="KIND", help="What happened: alias.moved… Once for each."),
    ] = None,
    by: Annotated[str | None, typer.Option(metavar="WHO", help="Who did it.")] = None,
    since: Annotated[
        str | None, typer.Option(metavar="MOMENT", help=f"The earliest: {MOMENT_FORM}.")
    ] = None,
    until: Annotated[str | None, typer.Option(metavar="MOMENT", help="The latest.")] = None,
    limit: Limit = 50,
    as_json: AsJson = False,
) -> None:
    """Show what happened to a model, newest first.

    Also to one that was deleted.
    """
    from cli import event_views
    from cli.catalog import opened_registry
    from registry.pages import EventFilter

    wanted = EventFilter(
        model=name,
        alias=alias,
        version=version,
        kinds=event_views.parse_kinds(kind or []),
        by=by,
        since=parse_moment(since) if since else None,
        until=parse_moment(until) if until else None,
    )
    with opened_registry(existing=True) as catalog:
        found = catalog.events(wanted, limit=limit)
    event_views.show(found, as_json=as_json)
