"""Manage pools of Triton servers through the API."""

import json
import os
from collections.abc import Sequence
from typing import Annotated, Any

import typer

# Commands import what they use when they run, so that help shows at once.

app = typer.Typer(help="Manage pools of Triton servers through the API.", no_args_is_help=True)

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")]
Pool = Annotated[str, typer.Argument(metavar="POOL", help="Its name.")]
Server = Annotated[str, typer.Argument(metavar="HOST:PORT", help="Its gRPC address.")]
Version = Annotated[str, typer.Argument(metavar="NAME@VERSION", help="What to load.")]
Why = Annotated[str, typer.Option(metavar="TEXT", help="Why, for the history.")]
ApiUrl = Annotated[
    str | None, typer.Option("--api", metavar="URL", help="NIGHTSHIFT_API_URL unless given.")
]


@app.callback()
def pools(api: ApiUrl = None) -> None:
    """Manage pools of Triton servers through the API."""
    use_api(api)


def use_api(url: str | None) -> None:
    """Have this command talk to the API at `url`, where one is given."""
    if url is not None:
        os.environ["NIGHTSHIFT_API_URL"] = url


@app.command("list")
def list_pools(as_json: AsJson = False) -> None:
    """Show every pool with its servers."""
    from cli.api_client import opened_api

    with opened_api() as api:
        found = [
            pool | {"servers": list(api.items(f"/v1/pools/{pool['name']}/servers"))}
            for pool in api.items("/v1/pools")
        ]
    rows = [(p["name"], str(len(p["servers"])), p["description"]) for p in found]
    _show(found, ("pool", "servers", "description"), rows, as_json=as_json)


@app.command()
def show(pool: Pool, as_json: AsJson = False) -> None:
    """Show a pool's servers, their load and what they serve."""
    from cli.api_client import opened_api

    with opened_api() as api:
        found = api.get(f"/v1/pools/{pool}") | {
            "servers": list(api.items(f"/v1/pools/{pool}/servers")),
            "versions": api.get(f"/v1/pools/{pool}/versions")["items"],
        }
    rows = [_server_row(server) for server in found["servers"]]
    _show(found, ("server", "state", "breaker", "in flight", "serves"), rows, as_json=as_json)
    if found["versions"] and not as_json:
        wanted = ", ".join(f"{each['model']}@{each['version']}" for each in found["versions"])
        typer.echo(f"each shall serve {wanted}")


@app.command()
def create(
    pool: Pool,
    description: Annotated[str, typer.Option(metavar="TEXT", help="What it is for.")] = "",
) -> None:
    """Register a pool without servers."""
    from cli.api_client import opened_api

    with opened_api() as api:
        api.create("/v1/pools", {"name": pool, "description": description})
    typer.echo(f"pool {pool} is registered: `nightshift pools add {pool} HOST:PORT` adds a server")


@app.command()
def add(pool: Pool, server: Server, why: Why = "") -> None:
    """Register a server of a pool, once it answers as a Triton does."""
    from cli.api_client import opened_api

    with opened_api() as api:
        api.create(f"/v1/pools/{pool}/servers", {"url": server, "why": why})
    typer.echo(f"{server} is asked by pool {pool}")


@app.command()
def drain(pool: Pool, server: Server) -> None:
    """Have a server asked no more while it finishes what it has."""
    from cli.api_client import opened_api

    with opened_api() as api:
        api.patch(f"/v1/pools/{pool}/servers/{server}", {"state": "draining"})
    typer.echo(f"{server} finishes what it has and is asked no more")


@app.command()
def remove(pool: Pool, server: Server) -> None:
    """Take a server out of its pool."""
    from cli.api_client import opened_api

    with opened_api() as api:
        api.delete(f"/v1/pools/{pool}/servers/{server}")
    typer.echo(f"{server} is no more in pool {pool}")


@app.command()
def load(pool: Pool, version: Version, as_json: AsJson = False) -> None:
    """Have every server of a pool load a version.

    Now, and whenever one joins or restarts.
    """
    _change(pool, version, "PUT", as_json=as_json)


@app.command()
def unload(pool: Pool, version: Version, as_json: AsJson = False) -> None:
    """Have every server of a pool let go of a version."""
    _change(pool, version, "DELETE", as_json=as_json)


def _change(pool: str, ref: str, method: str, *, as_json: bool) -> None:
    """Load or unload; exit with 1 when a server did not do it."""
    from cli.api_client import opened_api
    from cli.remote_catalog import RemoteCatalog
    from registry.domain import ModelRef

    with opened_api() as api:
        version = RemoteCatalog(api).resolve(ModelRef.parse(ref))
        path = f"/v1/pools/{pool}/versions/{version.name}/{version.version}"
        found = api.put(path) if method == "PUT" else api.delete(path)
    did = "loaded" if method == "PUT" else "unloaded"
    rows = [
        (outcome["server"], did if outcome["done"] else "failed", outcome["detail"] or "")
        for outcome in found["outcomes"]
    ]
    _show(found, ("server", str(version), ""), rows, as_json=as_json)
    if not found["done"]:
        raise typer.Exit(1)


def _server_row(server: dict[str, Any]) -> tuple[str, ...]:
    health, serves = server["health"], server["serves"]
    ready = [entry["name"] for entry in serves or () if entry["state"] == "READY"]
    return (
        server["url"],
        server["state"],
        health["breaker"] if health else "–",
        f"{health['outstanding']} of {health['window']}" if health else "–",
        "does not answer" if serves is None else ", ".join(ready) or "nothing",
    )


def _show(
    found: object, headers: Sequence[str], rows: Sequence[Sequence[str]], *, as_json: bool
) -> None:
    from rich.console import Console

    from cli.tables import table

    if as_json:
        typer.echo(json.dumps(found, indent=2, ensure_ascii=False))
    elif rows:
        Console().print(table(headers, rows))
    else:
        typer.echo("no servers")
