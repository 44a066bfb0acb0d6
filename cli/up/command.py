"""Run the whole platform from the command line."""

from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from cli.settings import LocalSettings
    from cli.up.folder import UpFolder
    from cli.up.platform import Wanted
    from cli.up.supervisor import Supervisor

# Commands import what they use when they run, so that help shows at once.

_ENDING_GRACE_S = 5.0
"""For what a killed `up` left: its servers' guards are ending them already."""


def up(
    workers: Annotated[
        int, typer.Option(min=0, max=64, metavar="N", help="Prefect workers to start.")
    ] = 1,
    port: Annotated[
        int, typer.Option(min=1, max=65535, metavar="PORT", help="Where the API listens.")
    ] = 8080,
    prefect_port: Annotated[
        int, typer.Option(min=1, max=65535, metavar="PORT", help="Where Prefect listens.")
    ] = 4200,
    demo: Annotated[
        bool, typer.Option("--demo", help="Also have the demo's model and its flights.")
    ] = False,
    detach: Annotated[
        bool, typer.Option("--detach", help="Return when all is ready; `nightshift down` ends it.")
    ] = False,
    patience: Annotated[
        float, typer.Option(min=0, metavar="SECONDS", help="Wait for runs at the end.")
    ] = 10.0,
) -> None:
    """Run the whole platform on this machine until Ctrl-C.

    PostgreSQL, Redis, S3, two Tritons, Prefect with its pages, workers and the API, all on
    loopback. Everything is kept in .nightshift/up, so that the next `up` goes on with it.
    """
    from cli.settings import LocalSettings
    from cli.up.folder import UpFolder
    from cli.up.platform import Wanted
    from cli.up.supervisor import interruptible

    local = LocalSettings()
    folder = UpFolder(local.data_dir / "up")
    if detach:
        _detached(folder)
        return
    try:
        with interruptible(), folder.taken():
            _run(folder, local, Wanted(workers, port, prefect_port), demo=demo, patience_s=patience)
    except KeyboardInterrupt:
        typer.echo("stopped")


def _run(
    folder: "UpFolder", local: "LocalSettings", wanted: "Wanted", *, demo: bool, patience_s: float
) -> None:
    """Have the platform run until it is interrupted."""
    from cli.up.identity import end_marked, marking
    from cli.up.platform import Platform
    from cli.up.supervisor import Supervisor
    from cli.up.view import leftovers_line

    folder.record.unlink(missing_ok=True)
    mark = folder.secrets().mark
    ended = end_marked(mark, grace_s=_ENDING_GRACE_S)
    if ended:
        typer.echo(leftovers_line(ended))
    with marking(mark):
        platform = Platform(folder, folder.secrets(), local, wanted)
        supervisor = Supervisor(platform, record=folder.record, logs=folder.log, say=typer.echo)
        try:
            _start(folder, supervisor)
            _stay(folder, local, supervisor, demo=demo)
        except KeyboardInterrupt:
            typer.echo("stopping")
            raise
        finally:
            supervisor.stop(patience_s=patience_s)
            # Runs of a worker that was killed have nobody else.
            end_marked(mark, grace_s=_ENDING_GRACE_S)


def _stay(
    folder: "UpFolder", local: "LocalSettings", supervisor: "Supervisor", *, demo: bool
) -> None:
    """Load the demo if it is asked for; then only watch."""
    from cli.up.detached import LAST_WORDS

    if demo:
        from cli.up.flights import load_flights

        load_flights(folder, local, say=typer.echo)
    typer.echo(LAST_WORDS)
    supervisor.watch()


def _start(folder: "UpFolder", supervisor: "Supervisor") -> None:
    """Start everything, saying where it is."""
    from rich.console import Console

    from cli.up import record
    from cli.up.looking import demo_token
    from cli.up.view import ready_table

    typer.echo("starting PostgreSQL, Redis, S3, two Tritons, Prefect, workers and the API")
    took = supervisor.start()
    noted = record.read(folder.record)
    assert noted is not None
    Console().print(ready_table(noted.servers, took))
    typer.echo(f"ready after {max(took.values()):.1f} s; logs in {folder.logs}")
    typer.echo("development: anyone on this machine may do everything here")
    typer.echo(f"demo token: {demo_token(noted.environment['NIGHTSHIFT_API_URL'])}")
    typer.echo('for another terminal, in this folder: eval "$(nightshift status --env)"')


def _detached(folder: "UpFolder") -> None:
    from cli.up.detached import run_detached

    typer.echo(run_detached(folder))


def status(
    env: Annotated[
        bool, typer.Option("--env", help="Print what a shell must know to use the platform.")
    ] = False,
) -> None:
    """Show what `nightshift up` runs in this folder. Exit status 1 unless all of it runs."""
    from rich.console import Console

    from cli.settings import LocalSettings
    from cli.up import record
    from cli.up.errors import NotUp
    from cli.up.folder import UpFolder
    from cli.up.looking import demo_token, states
    from cli.up.view import export_lines, status_table

    folder = UpFolder(LocalSettings().data_dir / "up")
    if not folder.is_taken():
        raise NotUp(folder.path)
    noted = record.read(folder.record)
    if noted is None:
        typer.echo("not ready yet")
        raise typer.Exit(1)
    if env:
        token = demo_token(noted.environment["NIGHTSHIFT_API_URL"])
        told = {"NIGHTSHIFT_API_TOKEN": token} if token else {}
        typer.echo("\n".join(export_lines({**noted.environment, **told})))
        return
    found = states(noted)
    Console().print(status_table(noted.servers, found))
    typer.echo("ready" if noted.ready else "not ready yet")
    if not noted.ready or set(found.values()) != {"running"}:
        raise typer.Exit(1)


def down() -> None:
    """Stop what `nightshift up` runs in this folder; what it keeps stays."""
    from cli.settings import LocalSettings
    from cli.up.detached import stop
    from cli.up.folder import UpFolder

    typer.echo(stop(UpFolder(LocalSettings().data_dir / "up")))
