"""Serve the API from the command line."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    import socket

    from api.settings import Settings
    from cli.settings import LocalSettings

# Commands import what they use when they run, so that help shows at once.


def serve(
    host: Annotated[
        str | None,
        typer.Option(
            metavar="ADDRESS",
            help="Where to listen: NIGHTSHIFT_API_HOST, or this machine only, unless given.",
        ),
    ] = None,
    port: Annotated[
        int | None,
        typer.Option(
            min=0,
            max=65535,
            metavar="PORT",
            help="NIGHTSHIFT_API_PORT, or 8080, unless given; 0 takes any free one.",
        ),
    ] = None,
) -> None:
    """Answer over HTTP until Ctrl-C.

    The registry is the one that NIGHTSHIFT_DATABASE_URL names. The servers of the pool `default`
    are those of NIGHTSHIFT_TRITON_URLS; without it, in development, a local one is started.
    /health/ready says whether they are there.
    """
    import asyncio

    from api import server
    from api.gateway.boot import signing_secret
    from api.gateway.outcomes import ACCESS
    from api.settings import Settings
    from cli.settings import LocalSettings
    from telemetry.logs import logged_to

    settings = _told(Settings.read(), host, port)
    # The application refuses it as well; here nothing listens and no server was started yet.
    signing_secret(settings.tokens, host=settings.api.host)
    local = LocalSettings()
    log = local.data_dir / "logs" / "api.jsonl"
    with (
        _listen(settings.api.host, settings.api.port) as listener,
        logged_to(log),
        logged_to(log.with_name("access.jsonl"), of=ACCESS),
    ):
        url = _url(listener)

        def started(demo_token: str | None) -> None:
            typer.echo(f"serving on {url}, log in {log}; Ctrl-C ends it")
            if demo_token is not None:
                typer.echo(f"development: anyone on this machine may do everything, {url}/docs")
                typer.echo(f"demo token: {demo_token}")

        with _with_servers(settings, local) as settings:
            asyncio.run(server.serve(settings, listener, started))
    typer.echo("stopped")


@contextmanager
def _with_servers(settings: "Settings", local: "LocalSettings") -> "Iterator[Settings]":
    """Give the settings with a local Triton, where they name none and this is development.

    In production pools are registered through the API. Raises `StackError`.
    """
    from dataclasses import replace

    from cli.servers import local_triton

    named = "triton_urls" in settings.inference.model_fields_set
    if named or settings.tokens.environment != "development":
        yield settings
        return
    server = local_triton(local, models=())
    typer.echo("starting Triton")
    with server as triton:
        urls = {"triton_urls": (triton.grpc_url,)}
        yield replace(settings, inference=settings.inference.model_copy(update=urls))


def _told(settings: "Settings", host: str | None, port: int | None) -> "Settings":
    """Return the settings with what the command line says instead."""
    from dataclasses import replace

    told = {"host": host, "port": port}
    given = {name: value for name, value in told.items() if value is not None}
    return replace(settings, api=settings.api.model_copy(update=given))


def _listen(host: str, port: int) -> "socket.socket":
    """Return a listening socket; raises `PortTaken` or `CannotListen`."""
    import errno
    import socket

    from cli.stack.errors import CannotListen, PortTaken

    try:
        family, _, _, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        listener = socket.socket(family)
    except OSError as error:
        raise CannotListen("the API", host, port, error.strerror or str(error)) from error
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
        listener.listen()
    except OSError as error:
        listener.close()
        if error.errno == errno.EADDRINUSE:
            raise PortTaken("the API", port) from error
        raise CannotListen("the API", host, port, error.strerror or str(error)) from error
    return listener


def _url(listener: "socket.socket") -> str:
    host, port = listener.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
