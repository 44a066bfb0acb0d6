"""Register models, look at them, change what is said of them."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cli import model_aliases, model_changes, model_history, model_routes
from cli.options import (
    ApiUrl,
    AsJson,
    Name,
    NewTags,
    Why,
    parse_tags,
    person,
    use_api,
)

if TYPE_CHECKING:
    from cli.registration import Notes
    from cli.remote_catalog import RemoteCatalog
    from registry.catalog import Catalog
    from registry.domain import ModelVersion
    from registry.pages import TagFilter

# Commands import what they use when they run, so that help shows at once.

app = typer.Typer(help="Register models, look at them, move their aliases.", no_args_is_help=True)


@app.callback()
def models(api: ApiUrl = None) -> None:
    """Register models, look at them, move their aliases."""
    use_api(api)


@app.command()
def register(
    name: Name,
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
    tag: NewTags = None,
    why: Why = "",
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
    notes = Notes(
        columns=parse_columns(columns or []),
        description=description,
        tags=parse_tags(tag or []),
        by=person(),
    )
    with opened_registry() as catalog:
        if onnx is not None:
            version = _register_file(catalog, name, onnx, notes)
        else:
            version = _register_served(catalog, name, served_name or "", served_version, notes)
        if alias is not None:
            catalog.set_alias(name, alias, version.version, by=person(), why=why)
        _tell(version, alias, as_json=as_json)


@app.command("list")
def list_models(
    prefix: Annotated[str, typer.Option(metavar="TEXT", help="How the name begins.")] = "",
    tag: Annotated[
        str | None, typer.Option(metavar="KEY[=VALUE]", help="A tag that it has.")
    ] = None,
    by: Annotated[str | None, typer.Option(metavar="WHO", help="Who registered it.")] = None,
    as_json: AsJson = False,
) -> None:
    """Show every model with its aliases."""
    from cli import model_views
    from cli.catalog import NoRegistry, opened_registry, registry_place
    from registry.pages import ModelFilter

    wanted = ModelFilter(prefix, _tag_filter(tag), by)
    try:
        with opened_registry(existing=True) as catalog:
            found = [(m, catalog.aliases(m.name).items) for m in catalog.models(wanted).items]
    except NoRegistry:
        found = []
    if as_json:
        typer.echo(model_views.models_json(found))
    elif found:
        model_views.show_models(found)
    elif wanted != ModelFilter():
        typer.echo(f"no such models in {registry_place()}")
    else:
        adds = "`nightshift models register NAME --onnx FILE` adds one"
        typer.echo(f"no models yet in {registry_place()}: {adds}")


@app.command()
def show(
    what: Annotated[
        str, typer.Argument(metavar="NAME[@VERSION]", help="A model, or one version of it.")
    ],
    as_json: AsJson = False,
) -> None:
    """Show a model or one of its versions.

    A model with its versions, aliases and their moves; a version with its approvals.
    """
    from cli import model_views
    from cli.catalog import opened_registry
    from registry.domain import ModelRef

    with opened_registry(existing=True) as catalog:
        if "@" in what:
            version = catalog.resolve(ModelRef.parse(what))
            approvals = catalog.approvals(version.name, version.version)
            model_views.show_one_version(version, approvals, as_json=as_json)
            return
        # JSON has all; a table says whether there are more than it shows.
        most = None if as_json else model_views.SHOWN + 1
        found = model_views.ModelView(
            model=catalog.model(what),
            versions=catalog.versions(what, limit=most).items,
            aliases=catalog.aliases(what).items,
            moves=catalog.moves(what, limit=most),
        )
    if as_json:
        typer.echo(model_views.model_json(found))
    else:
        model_views.show_model(found)


for _command in (
    model_aliases.alias,
    model_aliases.rollback,
    model_aliases.unalias,
    model_routes.route,
    model_aliases.protect,
    model_aliases.unprotect,
    model_changes.approve,
    model_changes.describe,
    model_changes.delete,
    model_history.at,
    model_history.events,
):
    app.command()(_command)


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


def _tag_filter(option: str | None) -> "TagFilter | None":
    from registry.pages import TagFilter

    key, equals, value = (option or "").partition("=")
    return TagFilter(key, value if equals else None) if option else None


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
            tags=notes.tags,
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
