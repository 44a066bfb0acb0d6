"""Look at the registry's database, and change its schema."""

from typing import Annotated

import typer

# Commands import what they use when they run, so that help shows at once.

app = typer.Typer(
    help="Look at the registry's database, and change its schema.", no_args_is_help=True
)


@app.command()
def upgrade() -> None:
    """Bring the database to this program's schema.

    NIGHTSHIFT_DATABASE_URL names it. Safe to repeat and safe beside other processes; rows stay.
    SQLite needs no upgrade: it is brought up when it is opened.
    """
    from registry.schema import HEAD, upgrade
    from registry.settings import RegistrySettings

    found = upgrade(RegistrySettings())
    if found == HEAD:
        typer.echo(f"the schema is {HEAD} already")
    else:
        typer.echo(f"the schema was {found or 'empty'}, it is {HEAD} now")


@app.command()
def downgrade(
    revision: Annotated[str, typer.Argument(metavar="SCHEMA", help="An older one: 0001…")],
) -> None:
    """Take the database back to an older schema. What that cannot hold is lost: save it first."""
    from registry.schema import downgrade
    from registry.settings import RegistrySettings

    found = downgrade(RegistrySettings(), revision)
    typer.echo(f"the schema was {found}, it is {revision} now")


@app.command()
def current() -> None:
    """Show the database's schema and the one that is needed."""
    from registry.schema import HEAD, current
    from registry.settings import RegistrySettings

    found = current(RegistrySettings())
    typer.echo(f"the schema is {found or 'empty'}, this program needs {HEAD}")
