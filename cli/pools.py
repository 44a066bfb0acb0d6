"""Manage pools of Triton servers through the API."""

import json
from collections.abc import Sequence
from typing import Annotated, Any

import typer

from cli.options import ApiUrl, AsJson, Limit, Why, use_api

# Commands import what they use when they run, so that help shows at once.

app = typer.Typer(help="Manage pools of Triton servers through the API.", no_args_is_help=True)

Pool = Annotated[str, typer.Argument(metavar="POOL", help="Its name.")]
Server = Annotated[str, typer.Argument(metavar="HOST:PORT", help="Its gRPC address.")]
Version = Annotated[
    str,
    typer.Argument(metavar="NAME@VERSION", help="The version, or NAME@ALIAS for what that is now."),
]
_SERVER_HEADERS = ("server", "state", "breaker", "in flight", "serves")


@app.callback()
def pools(api: ApiUrl = None) -> None:
    """Manage pools of Triton servers through the API."""
    use_api(api)


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
    _show(found, ("pool", "servers", "description"), rows, as_json=as_json, none="no pools yet")


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
    _show(found, _SERVER_HEADERS, rows, as_json=as_json, none="no servers")
    if found["versions"] and not as_json:
        wanted = ", ".join(f"{each['model']}@{each['version']}" for each in found["versions"])
        typer.echo(f"each shall serve {wanted}")


@app.command()
def create(
    pool: Pool,
    description: Annotated[str, typer.Option(metavar="TEXT", help="What it is for.")] = "",
    as_json: AsJson = False,
) -> None:
    """Register a pool without servers."""
    from cli.api_client import opened_api

    with opened_api() as api:
        made = api.create("/v1/pools", {"name": pool, "description": description})
    words = f"pool {pool} is registered: `nightshift pools add {pool} HOST:PORT` adds a server"
    _tell(made, words, as_json=as_json)


@app.command()
def describe(
    pool: Pool,
    description: Annotated[
        str, typer.Option(metavar="TEXT", help="What it is for, in place of what was said.")
    ],
    why: Why = "",
    as_json: AsJson = False,
) -> None:
    """Change what is said of a pool."""
    from cli.api_client import opened_api

    with opened_api() as api:
        changed = api.patch(f"/v1/pools/{pool}", {"description": description}, why=why)
    _tell(changed, f"{pool}: {description}", as_json=as_json)


@app.command()
def delete(pool: Pool, why: Why = "", as_json: AsJson = False) -> None:
    """Delete a pool without servers and versions to serve.

    Its history stays.
    """
    from cli.api_client import opened_api

    with opened_api() as api:
        api.delete(f"/v1/pools/{pool}", why=why)
    _tell({"deleted": pool}, f"pool {pool} is no more", as_json=as_json)


@app.command()
def add(pool: Pool, server: Server, why: Why = "", as_json: AsJson = False) -> None:
    """Register a server of a pool, once it answers as a Triton does.

    One that drains or was removed is asked again.
    """
    from cli.api_client import opened_api

    with opened_api() as api:
        added = api.create(f"/v1/pools/{pool}/servers", {"url": server, "why": why})
    _tell(added, f"{server} is asked by pool {pool}", as_json=as_json)


@app.command()
def drain(pool: Pool, server: Server, why: Why = "", as_json: AsJson = False) -> None:
    """Have a server asked no more while it finishes what it has."""
    from cli.api_client import opened_api

    with opened_api() as api:
        path = f"/v1/pools/{pool}/servers/{server}"
        changed = api.patch(path, {"state": "draining"}, why=why)
    _tell(changed, f"{server} finishes what it has and is asked no more", as_json=as_json)


@app.command()
def remove(pool: Pool, server: Server, why: Why = "", as_json: AsJson = False) -> None:
    """Take a server out of its pool."""
    from cli.api_client import opened_api

    with opened_api() as api:
        api.delete(f"/v1/pools/{pool}/servers/{server}", why=why)
    gone = {"pool": pool, "removed": server}
    _tell(gone, f"{server} is no more in pool {pool}", as_json=as_json)


@app.command()
def load(pool: Pool, version: Version, why: Why = "", as_json: AsJson = False) -> None:
    """Have every server of a pool load a version.

    Now, and whenever one joins or restarts.
    """
    _place(pool, version, why, wanted=True, as_json=as_json)


@app.command()
def unload(pool: Pool, version: Version, why: Why = "", as_json: AsJson = False) -> None:
    """Have every server of a pool let go of a version."""
    _place(pool, version, why, wanted=False, as_json=as_json)


@app.command()
def events(pool: Pool, limit: Limit = 50, as_json: AsJson = False) -> None:
    """Show what happened to a pool, newest first.

    Also to one that was deleted.
    """
    from cli import event_views
    from cli.api_client import opened_api
    from cli.remote_bodies import event_of
    from registry.pages import page_of

    with opened_api() as api:
        told = api.items(f"/v1/pools/{pool}/events", limit=limit + 1)
        found = page_of(tuple(map(event_of, told)), limit, lambda event: event.id)
    event_views.show(found, as_json=as_json)


def _place(pool: str, ref: str, why: str, *, wanted: bool, as_json: bool) -> None:
    """Load or unload; exit with 1 when a server did not do it."""
    from cli.api_client import opened_api
    from cli.remote_catalog import RemoteCatalog
    from registry.domain import ModelRef

    with opened_api() as api:
        version = RemoteCatalog(api).resolve(ModelRef.parse(ref))
        change = api.put if wanted else api.delete
        found = change(f"/v1/pools/{pool}/versions/{version.name}/{version.version}", why=why)
    did = "loaded" if wanted else "unloaded"
    rows = [
        (outcome["server"], did if outcome["done"] else "failed", outcome["detail"] or "")
        for outcome in found["outcomes"]
    ]
    none = f"pool {pool} has no active server: each that joins shall serve {version}"
    if not wanted:
        none = f"no server of pool {pool} had to let go of {version}"
    _show(found, ("server", str(version), ""), rows, as_json=as_json, none=none)
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


def _tell(found: object, words: str, *, as_json: bool) -> None:
    typer.echo(json.dumps(found, indent=2, ensure_ascii=False) if as_json else words)


def _show(
    found: object,
    headers: Sequence[str],
    rows: Sequence[Sequence[str]],
    *,
    as_json: bool,
    none: str,
) -> None:
    """Print a table, or `none` where it would have no rows."""
    from rich.console import Console

    from cli.tables import table

    if as_json or not rows:
        _tell(found, none, as_json=as_json)
    else:
        Console().print(table(headers, rows))
