"""Split the requests of an alias over versions."""

import json
from dataclasses import asdict
from datetime import datetime
from typing import TYPE_CHECKING, Annotated

import typer

from cli.options import AsJson, Why, person

if TYPE_CHECKING:
    from registry.routes import Route, Share

# Commands import what they use when they run, so that help shows at once.

_WHOLE_PERCENT = 100.0


def route(
    what: Annotated[str, typer.Argument(metavar="NAME@ALIAS", help="Whose requests.")],
    to: Annotated[
        list[str] | None,
        typer.Option(
            metavar="VERSION=PERCENT%",
            help="A version that answers for that part of the requests. Once for each.",
        ),
    ] = None,
    shadow: Annotated[
        str | None,
        typer.Option(
            metavar="VERSION[=PERCENT%]",
            help="A version that gets a copy of all requests, or a part, and answers nobody.",
        ),
    ] = None,
    clear: Annotated[
        bool, typer.Option("--clear", help="Have the alias's version answer everything again.")
    ] = False,
    why: Why = "",
    as_json: AsJson = False,
) -> None:
    """Split an alias's requests over versions.

    The version that the alias points to gets what is left. A split replaces the one before.
    Without options, show how they are split.
    """
    from cli.catalog import opened_routing

    canaries = [parse_share(option, "--to") for option in to or []]
    copied = parse_share(shadow, "--shadow", whole=True) if shadow else None
    changes = bool(canaries or copied)
    if changes and clear:
        raise typer.BadParameter("--clear takes the whole split away: give it alone")
    model, alias = _alias_of(what)
    with opened_routing() as routing:
        found = routing.route(model, alias)
        seen = found.revision if found else 0
        if clear:
            routing.clear_route(model, alias, by=person(), why=why, if_revision=seen)
            found = None
        elif changes:
            found = routing.set_route(
                model,
                alias,
                canaries=canaries,
                shadow=copied,
                by=person(),
                why=why,
                if_revision=seen,
            )
    typer.echo(_as_json(found) if as_json else _words(what, found))


def parse_share(option: str, name: str, *, whole: bool = False) -> "Share":
    """Read `2=10%`, or `2` for a `whole`; raises `typer.BadParameter`."""
    from registry.routes import WHOLE, Share

    version, equals, percent = option.partition("=")
    try:
        part = float(percent.removesuffix("%")) if equals or not whole else _WHOLE_PERCENT
        found = Share(int(version), round(part * WHOLE / _WHOLE_PERCENT))
    except (ValueError, OverflowError) as error:
        form = "VERSION, or VERSION=PERCENT%" if whole else "VERSION=PERCENT%, for example 2=10%"
        raise typer.BadParameter(f"{name} {option}: write {form}") from error
    if not 0 < found.share <= WHOLE:
        raise typer.BadParameter(f"{name} {option}: choose a part from 0.01% to 100%")
    return found


def _alias_of(what: str) -> tuple[str, str]:
    from registry.domain import ModelRef

    ref = ModelRef.parse(what)
    if ref.alias is None:
        raise typer.BadParameter(f"{what} names a version: only an alias's requests are split")
    return ref.name, ref.alias


def _words(what: str, found: "Route | None") -> str:
    if found is None:
        return f"{what}: its version answers everything"
    from registry.routes import WHOLE

    parts = [f"version {each.version} {_percent(each)}" for each in found.canaries]
    left = WHOLE - sum(each.share for each in found.canaries)
    parts.append(f"its own version {left * _WHOLE_PERCENT / WHOLE:g} %")
    copied = found.shadow
    if copied is not None:
        parts.append(f"version {copied.version} gets a copy of {_percent(copied)}")
    return f"{what}: {', '.join(parts)}"


def _percent(share: "Share") -> str:
    from registry.routes import WHOLE

    return f"{share.share * _WHOLE_PERCENT / WHOLE:g} %"


def _as_json(found: "Route | None") -> str:
    told = None if found is None else asdict(found)
    return json.dumps(told, indent=2, default=datetime.isoformat, ensure_ascii=False)
