"""Register models, look at them, move their aliases."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cli.pools import ApiUrl, use_api

if TYPE_CHECKING:
    from cli.registration import Notes
    from cli.remote_catalog import RemoteCatalog
    from registry.catalog import Catalog
    from registry.domain import ModelVersion

# Commands import what they use when they run, so that help shows at once.

app = typer.Typer(help="Register models, look at them, move their aliases.", no_args_is_help=True)

Why = Annotated[str, typer.Option(metavar="TEXT", help="Why, for the history.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")]


@app.callback()
def models(api: ApiUrl = None) -> None:
    """Register models, look at them, move their aliases."""
    use_api(api)


@app.command()
def register(
    name: Annotated[str, typer.Argument(metavar="NAME", help="Its name in the registry.")],
    onnx: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", help="ONNX file to put into the model repository and register."
        ),
    ] = None,
    served_name: Annotated[
        str | None,
        typer.Option(
            metavar="NAME", help="Register what running servers serve under this name instead."
        ),
    ] = None,
    served_version: Annotated[
        int, typer.Option(min=1, metavar="N", help="Version directory of the served model.")
    ] = 1,
    columns: Annotated[
        list[str] | None,
        typer.Option(
            metavar="INPUT=COLUMN,…",
            help="Dataset columns that feed an input, in order. Once for each input.",
        ),
    ] = None,
    alias: Annotated[
        str | None, typer.Option(metavar="ALIAS", help="Point this alias to the version.")
    ] = None,
    description: Annotated[
        str, typer.Option(metavar="TEXT", help="What others should know of it.")
    ] = "",
    why: Annotated[
        str, typer.Option(metavar="TEXT", help="Why the alias moves, for its history.")
    ] = "",
    as_json: AsJson = False,
) -> None:
    """Add a version of a model, as Triton describes it.

    The same file with the same columns gives the version that is already there.
    """
    if (onnx is None) == (served_name is None):
        raise typer.BadParameter("give either --onnx FILE or --served-name NAME")
    from cli.catalog import opened_registry
    from cli.registration import Notes
    from registry.domain import check_alias

    if alias is not None:
        check_alias(alias)
    notes = Notes(columns=parse_columns(columns or []), description=description, by=_person())
    with opened_registry() as catalog:
        if onnx is not None:
            version = _register_file(catalog, name, onnx, notes)
        else:
            version = _register_served(catalog, name, served_name or "", served_version, notes)
        if alias is not None:
            catalog.set_alias(name, alias, version.version, by=_person(), why=why)
        _tell(version, alias, as_json=as_json)


@app.command("list")
def list_models(as_json: AsJson = False) -> None:
    """Show every model with its aliases."""
    from cli import model_views
    from cli.catalog import NoRegistry, opened_registry, registry_place

    try:
        with opened_registry(existing=True) as catalog:
            found = [(m, catalog.aliases(m.name).items) for m in catalog.models().items]
    except NoRegistry:
        found = []
    if as_json:
        typer.echo(model_views.models_json(found))
    elif found:
        model_views.show_models(found)
    else:
        adds = "`nightshift models register NAME --onnx FILE` adds one"
        typer.echo(f"no models yet in {registry_place()}: {adds}")


@app.command()
def show(
    name: Annotated[str, typer.Argument(metavar="NAME", help="Its name in the registry.")],
    as_json: AsJson = False,
) -> None:
    """Show a model's versions, aliases and their history."""
    from cli import model_views
    from cli.catalog import opened_registry

    with opened_registry(existing=True) as catalog:
        found = model_views.ModelView(
            model=catalog.model(name),
            versions=catalog.versions(name).items,
            aliases=catalog.aliases(name).items,
            moves=catalog.moves(name),
        )
    if as_json:
        typer.echo(model_views.model_json(found))
    else:
        model_views.show_model(found)


@app.command()
def alias(
    version: Annotated[str, typer.Argument(metavar="NAME@VERSION", help="Where it shall point.")],
    name: Annotated[str, typer.Argument(metavar="ALIAS", help="The alias: champion…")],
    why: Why = "",
    as_json: AsJson = False,
) -> None:
    """Point an alias to a version.

    NAME@ALIAS points it where another alias points now.
    """
    from cli import model_views
    from cli.catalog import opened_registry
    from registry.domain import ModelRef

    with opened_registry(existing=True) as catalog:
        target = catalog.resolve(ModelRef.parse(version))
        moved = catalog.set_alias(target.name, name, target.version, by=_person(), why=why)
    if as_json:
        typer.echo(model_views.as_json(moved))
    else:
        typer.echo(f"{moved} is now version {moved.version}")


@app.command()
def rollback(
    name: Annotated[str, typer.Argument(metavar="NAME", help="Its name in the registry.")],
    alias: Annotated[str, typer.Argument(metavar="ALIAS", help="The alias: champion…")],
    why: Why = "",
    as_json: AsJson = False,
) -> None:
    """Point an alias back to where it pointed before."""
    from cli import model_views
    from cli.catalog import opened_registry
    from cli.stack.errors import NothingBefore

    with opened_registry(existing=True) as catalog:
        moves = catalog.moves(name, alias)
        before = moves[0].from_version if moves else None
        if before is None:
            raise NothingBefore(f"{name}@{alias}")
        moved = catalog.set_alias(name, alias, before, by=_person(), why=why or "rolled back")
    if as_json:
        typer.echo(model_views.as_json(moved))
    else:
        typer.echo(f"{moved} is version {moved.version} again")


def parse_columns(options: list[str]) -> dict[str, tuple[str, ...]]:
    """Read `INPUT=COLUMN,COLUMN…` options; raises `typer.BadParameter`."""
    columns: dict[str, tuple[str, ...]] = {}
    for option in options:
        name, equals, listed = option.partition("=")
        names = tuple(column.strip() for column in listed.split(","))
        if not (name and equals and all(names)):
            raise typer.BadParameter(f"--columns {option}: write INPUT=COLUMN,COLUMN…")
        if name in columns:
            raise typer.BadParameter(f"--columns names input {name} twice: list its columns once")
        columns[name] = names
    return columns


def _register_file(
    catalog: "Catalog | RemoteCatalog", name: str, onnx: Path, notes: "Notes"
) -> "ModelVersion":
    from cli.registration import (
        kept_if_registered,
        lay_out_file,
        register_file,
        register_file_remotely,
    )
    from cli.remote_catalog import RemoteCatalog
    from cli.servers import triton_urls
    from cli.settings import LocalSettings
    from inference.settings import InferenceSettings

    settings, local = InferenceSettings(), LocalSettings()
    file = lay_out_file(name, onnx, local)
    if isinstance(catalog, RemoteCatalog):
        with kept_if_registered(file):
            return register_file_remotely(catalog, file, notes)
    with kept_if_registered(file), triton_urls(settings, local) as urls:
        return register_file(catalog, file, urls=urls, notes=notes, settings=settings)


def _register_served(
    catalog: "Catalog | RemoteCatalog", name: str, model: str, version: int, notes: "Notes"
) -> "ModelVersion":
    from cli.registration import register_served
    from cli.remote_catalog import RemoteCatalog
    from inference.settings import InferenceSettings

    if isinstance(catalog, RemoteCatalog):
        return catalog.register(
            name,
            served_name=model,
            served_version=str(version),
            columns=notes.columns,
            description=notes.description,
        )

    settings = InferenceSettings()
    return register_served(
        catalog,
        name,
        model=model,
        version=str(version),
        urls=settings.triton_urls,
        notes=notes,
        settings=settings,
    )


def _tell(version: "ModelVersion", alias: str | None, *, as_json: bool) -> None:
    from cli import model_views

    if as_json:
        typer.echo(model_views.as_json(version))
        return
    pointed = f", {version.name}@{alias} points to it" if alias else ""
    typer.echo(f"{version} is registered{pointed}")
    model_views.show_version(version)


def _person() -> str:
    """Return who runs the command, as the operating system says; empty when it does not know."""
    import getpass

    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return ""
