"""Offer the platform as one command, `nightshift`."""

import os
import signal
import sys
from collections.abc import Sequence
from functools import partial
from typing import Annotated, Any

import typer
from typer.core import TyperGroup
from typer.exceptions import TyperException

from cli import db, jobs, models, pools
from cli.backfill import backfill
from cli.demo import demo
from cli.failures import failure_words
from cli.interrupts import INTERRUPTED_STATUS
from cli.local import run_servers
from cli.score import score
from cli.serve import serve
from cli.token import token
from cli.up.command import down, status, up


class Edge(TyperGroup):
    """The process edge: what ends a command is told in one line, without a traceback.

    Exit status 0 when the command did what was asked, 1 for an error of ours or of the world, 2
    for a command line that cannot be understood, 130 after Ctrl-C. Anything else is a fault in
    the program and keeps its traceback.
    """

    def main(
        self,
        args: Sequence[str] | None = None,
        prog_name: str | None = None,
        complete_var: str | None = None,
        standalone_mode: bool = True,
        windows_expand_args: bool = True,
        **extra: Any,
    ) -> Any:
        """Run as a program, which ends with the status; else return it."""
        options = (complete_var, False, windows_expand_args)
        run = partial(super().main, args, prog_name, *options, **extra)
        if not standalone_mode:
            return run()
        try:
            status = run()
        except TyperException as error:
            typer.echo(_usage_words(error), err=True)
            sys.exit(error.exit_code)
        sys.exit(status if isinstance(status, int) else 0)

    def invoke(self, ctx: typer.Context) -> object:  # type: ignore[override]  # theirs is private
        """Run the command."""
        _warn_of_unknown_variables()
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt:
            typer.echo("interrupted: run the same command again, it continues", err=True)
            raise typer.Exit(INTERRUPTED_STATUS) from None
        except Exception as error:  # the process edge: faults in the program are raised again
            words = failure_words(error)
            if words is None:
                raise
            typer.echo(f"error: {words}", err=True)
            raise typer.Exit(1) from None


app = typer.Typer(
    name="nightshift",
    cls=Edge,
    help="Score Parquet datasets with pools of Triton servers.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,  # plain help: importing rich would double the time to show it
    pretty_exceptions_enable=False,
)
app.command()(demo)
app.command()(score)
app.command()(backfill)
app.command()(serve)
app.command("servers")(run_servers)
app.command()(up)
app.command()(status)
app.command()(down)
app.add_typer(db.app, name="db")
app.command()(token)
app.add_typer(jobs.app, name="jobs")
app.add_typer(models.app, name="models")
app.add_typer(pools.app, name="pools")


def _show_version(wanted: bool) -> None:
    if not wanted:
        return
    from telemetry.version import platform_version

    typer.echo(f"nightshift {platform_version()}")
    raise typer.Exit


@app.callback()
def nightshift(
    version: Annotated[
        bool,
        typer.Option(
            "--version", callback=_show_version, is_eager=True, help="Show the version and exit."
        ),
    ] = False,
) -> None:
    """Score Parquet datasets with pools of Triton servers."""


def _warn_of_unknown_variables() -> None:
    """Tell of a misspelt setting, which would have no effect otherwise."""
    if not any(name.startswith("NIGHTSHIFT_") for name in os.environ):
        return  # help shows at once
    from cli.variables import unknown_variables

    for line in unknown_variables():
        typer.echo(f"warning: {line}", err=True)


def _usage_words(error: TyperException) -> str:
    """Say in one line what was not understood, with the command that explains it."""
    told = error.format_message()
    if "\n" in told:  # help, for a command line without a command
        return told
    told = told.removeprefix("Invalid value: ").rstrip(".")
    context = getattr(error, "ctx", None)
    hint = f" (see `{context.command_path} --help`)" if context is not None else ""
    return f"error: {told[:1].lower()}{told[1:]}{hint}"


def main() -> None:
    """Run the command as a process, whose end nobody needs to interrupt."""
    try:
        app()
    finally:
        signal.signal(signal.SIGINT, signal.SIG_IGN)


if __name__ == "__main__":
    main()
