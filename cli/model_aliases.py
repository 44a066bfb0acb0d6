"""Move aliases, and say what they may point to."""

from typing import TYPE_CHECKING, Annotated

import typer

from cli.options import AliasName, AsJson, Name, Why, person

if TYPE_CHECKING:
    from registry.domain import Alias, Model

# Commands import what they use when they run, so that help shows at once.


def alias(
    version: Annotated[str, typer.Argument(metavar="NAME@VERSION", help="Where it shall point.")],
    name: AliasName,
    why: Why = "",
    as_json: AsJson = False,
) -> None:
    """Point an alias to a version.

    NAME@ALIAS points it where another alias points now.
    """
    from cli.catalog import opened_registry
    from registry.domain import ModelRef

    with opened_registry(existing=True) as catalog:
        target = catalog.resolve(ModelRef.parse(version))
        moved = catalog.set_alias(target.name, name, target.version, by=person(), why=why)
    _tell_alias(moved, f"{moved} is now version {moved.version}", as_json=as_json)


def rollback(name: Name, alias: AliasName, why: Why = "", as_json: AsJson = False) -> None:
    """Point an alias back to where it pointed before."""
    from cli.catalog import opened_registry
    from cli.stack.errors import NothingBefore

    with opened_registry(existing=True) as catalog:
        moves = catalog.moves(name, alias, limit=1)
        before = moves[0].from_version if moves else None
        if before is None:
            raise NothingBefore(f"{name}@{alias}")
        now, why = moves[0].to_version, why or "rolled back"
        moved = catalog.set_alias(name, alias, before, by=person(), why=why, from_version=now)
    _tell_alias(moved, f"{moved} is version {moved.version} again", as_json=as_json)


def unalias(name: Name, alias: AliasName, why: Why = "", as_json: AsJson = False) -> None:
    """Take an alias away. Its history stays."""
    from cli import model_views
    from cli.catalog import opened_registry

    with opened_registry(existing=True) as catalog:
        catalog.delete_alias(name, alias, by=person(), why=why)
    gone = f"{name}@{alias}"
    typer.echo(model_views.gone_json(gone) if as_json else f"{gone} is no more")


def protect(name: Name, alias: AliasName, why: Why = "", as_json: AsJson = False) -> None:
    """Let an alias go to approved versions only.

    Approved by somebody else than who registered the version and who moves the alias. Also an
    alias that does not exist yet.
    """
    _protect(name, alias, why, protected=True, as_json=as_json)


def unprotect(name: Name, alias: AliasName, why: Why = "", as_json: AsJson = False) -> None:
    """Let an alias go to any version again."""
    _protect(name, alias, why, protected=False, as_json=as_json)


def _protect(name: str, alias: str, why: str, *, protected: bool, as_json: bool) -> None:
    from cli.catalog import opened_registry

    with opened_registry(existing=True) as catalog:
        changed = catalog.protect_alias(name, alias, protected=protected, by=person(), why=why)
    told = "approved versions only" if protected else "any version"
    _tell_alias(changed, f"{name}@{alias} may point to {told}", as_json=as_json)


def _tell_alias(found: "Alias | Model", words: str, *, as_json: bool) -> None:
    from cli import model_views

    typer.echo(model_views.as_json(found) if as_json else words)
