"""Run the local servers for other programs."""

import os
import threading
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from cli.settings import LocalSettings
    from registry.domain import ModelVersion

# Commands import what they use when they run, so that help shows at once.


def run_servers(
    names: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="NAME@ALIAS…", help="What to load; all that an alias points to otherwise."
        ),
    ] = None,
) -> None:
    """Run Triton and Prefect for other programs, until Ctrl-C.

    Triton has the registered models. Prints the settings that have a program use both.
    """
    from rich.console import Console

    from cli.running import started
    from cli.settings import LocalSettings

    local = LocalSettings()
    versions = _wanted(names or [], local)
    for setting in ("NIGHTSHIFT_TRITON_URLS", "PREFECT_API_URL"):
        os.environ.pop(setting, None)
    served = sorted({version.served_name for version in versions})
    try:
        with started(Console(stderr=True), local, models=served):
            for setting in ("NIGHTSHIFT_TRITON_URLS", "PREFECT_API_URL"):
                typer.echo(f"export {setting}={os.environ[setting]}")
            told = ", ".join(map(str, versions))
            typer.echo(f"Triton serves {told}; Ctrl-C ends both servers")
            threading.Event().wait()
    except KeyboardInterrupt:
        typer.echo("stopped")


def _wanted(names: list[str], local: "LocalSettings") -> "list[ModelVersion]":
    """Return the versions that are asked for, or all that an alias points to and lie here."""
    from cli.catalog import opened_catalog
    from cli.stack.errors import NothingToServe
    from registry.domain import ModelRef

    with opened_catalog(existing=True) as catalog:
        if names:
            return [catalog.resolve(ModelRef.parse(name)) for name in names]
        found = [
            catalog.version(model.name, number)
            for model in catalog.models().items
            for number in sorted({alias.version for alias in catalog.aliases(model.name).items})
        ]
    here = [each for each in found if (local.repository_dir / each.served_name).is_dir()]
    if not here:
        raise NothingToServe(local.repository_dir)
    return here
