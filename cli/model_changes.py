"""Approve versions, describe models, delete what nothing needs."""

from typing import Annotated

import typer

from cli.options import AsJson, Name, NewTags, Why, parse_tags, person

# Commands import what they use when they run, so that help shows at once.


def approve(
    version: Annotated[
        str, typer.Argument(metavar="NAME@VERSION", help="What was found fit to go live.")
    ],
    why: Annotated[str, typer.Option(metavar="TEXT", help="What was looked at.")] = "",
    as_json: AsJson = False,
) -> None:
    """Say that a version may go live behind protected aliases.

    Not one's own: somebody else than who registered it, and than who moves the alias.
    """
    from cli import model_views
    from cli.catalog import opened_registry
    from registry.domain import ModelRef

    with opened_registry(existing=True) as catalog:
        found = catalog.resolve(ModelRef.parse(version))
        approval = catalog.approve(found.name, found.version, by=person(), why=why)
    if as_json:
        typer.echo(model_views.as_json(approval))
    else:
        typer.echo(f"{found} is approved by {approval.by}")


def describe(
    name: Name,
    description: Annotated[
        str | None, typer.Option(metavar="TEXT", help="What it is for, in place of what was said.")
    ] = None,
    tag: NewTags = None,
    untag: Annotated[
        list[str] | None,
        typer.Option(metavar="KEY", help="A tag to take off. Once for each."),
    ] = None,
    why: Why = "",
    as_json: AsJson = False,
) -> None:
    """Change what is said of a model: its description, its tags.

    Versions do not change.
    """
    from cli import model_views
    from cli.catalog import opened_registry

    new = parse_tags(tag or [])
    if description is None and not new and not untag:
        raise typer.BadParameter("say what to change: --description, --tag or --untag")
    with opened_registry(existing=True) as catalog:
        model = catalog.model(name)
        kept = {key: value for key, value in model.tags.items() if key not in (untag or [])}
        changed = catalog.change_model(
            name,
            description=description,
            tags=kept | new,
            by=person(),
            why=why,
            if_revision=model.revision,
        )
    if as_json:
        typer.echo(model_views.as_json(changed))
    else:
        typer.echo(f"{name}: {model_views.described(changed)}")


def delete(
    what: Annotated[
        str,
        typer.Argument(metavar="NAME[@VERSION]", help="A version, or a model with all."),
    ],
    why: Why = "",
    as_json: AsJson = False,
) -> None:
    """Delete a version, or a model with all its versions.

    Refused while anything points to it. Its number is never given again, its history stays.
    """
    from cli import model_views
    from cli.catalog import opened_registry
    from registry.domain import ModelRef

    ref = ModelRef.parse(what) if "@" in what else None
    if ref is not None and ref.version is None:
        raise typer.BadParameter(f"{what} is an alias: `nightshift models unalias` takes it away")
    with opened_registry(existing=True) as catalog:
        if ref is None or ref.version is None:
            catalog.delete_model(what, by=person(), why=why)
        else:
            catalog.delete_version(ref.name, ref.version, by=person(), why=why)
    typer.echo(model_views.gone_json(what) if as_json else f"{what} is no more")
