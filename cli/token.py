"""Take the demo token of an API in development."""

from typing import Annotated

import typer

_DEFAULT_URL = "http://127.0.0.1:8080"


def token(
    api: Annotated[
        str | None,
        typer.Option("--api", metavar="URL", help="NIGHTSHIFT_API_URL unless given."),
    ] = None,
) -> None:
    """Print a demo token of an API in development.

    For `export NIGHTSHIFT_API_TOKEN=$(nightshift token)`.
    """
    import os

    from cli.api_client import opened_api
    from cli.options import use_api

    use_api(api or os.environ.get("NIGHTSHIFT_API_URL") or _DEFAULT_URL)
    with opened_api() as opened:
        typer.echo(opened.get("/v1/token/demo")["token"])
