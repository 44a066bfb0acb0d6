"""Offer the platform as one command, `nightshift`."""

import errno
import os
import signal
import sys
from collections.abc import Iterator, Sequence
from functools import partial
from typing import Annotated, Any, TypeGuard

import typer
from typer.core import TyperGroup
from typer.exceptions import TyperException

from cli import db, models
from cli.demo import demo
from cli.score import score
from cli.serve import serve

INTERRUPTED_STATUS = 130
"""128 + SIGINT, as shells expect it."""
_REMEDIES = {
    errno.EACCES: "allow your user to use it, or choose another place",
    errno.EADDRINUSE: "choose another port, or stop the program that listens there",
    errno.ECONNREFUSED: "start the server, or correct its address",
    errno.EDQUOT: "free some of your quota, then run the command again",
    errno.EISDIR: "name a file, not a folder",
    errno.EMFILE: "raise the limit of open files (ulimit -n), then run the command again",
    errno.ENOENT: "check the path; if another program removed it, run the command again",
    errno.ENOSPC: "free some space, then run the command again",
    errno.ENOTDIR: "a part of the path is a file: choose another path",
    errno.EPERM: "allow your user to use it, or choose another place",
    errno.EROFS: "choose a place that can be written to",
}
"""What a person can do about what the operating system says."""


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

    # Typer's own context class is private; the public one is its subclass.
    def invoke(self, ctx: typer.Context) -> object:  # type: ignore[override]
        """Run the command."""
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt:
            typer.echo("interrupted: run the same command again, it continues", err=True)
            raise typer.Exit(INTERRUPTED_STATUS) from None
        except Exception as error:  # the process edge: faults in the program are raised again
            words = _words(error)
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
app.command()(serve)
app.add_typer(db.app, name="db")
app.add_typer(models.app, name="models")


def _show_version(wanted: bool) -> None:
    if not wanted:
        return
    from importlib.metadata import PackageNotFoundError, version

    try:
        typer.echo(f"nightshift {version('nightshift')}")
    except PackageNotFoundError:
        typer.echo("nightshift (not installed: run from its source folder)")
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


def _usage_words(error: TyperException) -> str:
    """Say in one line what was not understood, with the command that explains it."""
    told = error.format_message()
    if "\n" in told:  # help, for a command line without a command
        return told
    told = told.removeprefix("Invalid value: ").rstrip(".")
    context = getattr(error, "ctx", None)
    hint = f" (see `{context.command_path} --help`)" if context is not None else ""
    return f"error: {told[:1].lower()}{told[1:]}{hint}"


def _words(error: BaseException) -> str | None:
    """Return one line for an error that a person can act on; None for a fault in the program."""
    from pydantic import ValidationError

    found = next((leaf for leaf in _leaves(error) if isinstance(leaf, _expected_errors())), None)
    if found is None:
        return None
    if isinstance(found, ValidationError):
        return _validation_words(found.title, [(e["loc"], e["msg"]) for e in found.errors()])
    if isinstance(found, OSError):
        return None if found.errno == errno.EPIPE else _system_words(found)
    return " ".join(str(found).split()) or type(found).__name__


def _system_words(error: OSError) -> str:
    """Name the file where the system named one, say why it was refused, then what to do."""
    told = " ".join((error.strerror or str(error)).split()) or type(error).__name__
    names = [os.fsdecode(name) for name in (error.filename, error.filename2) if _is_path(name)]
    place = " → ".join(" ".join(name.split()) for name in names)
    unknown = "check that path and its disk" if place else "run the command again"
    remedy = _REMEDIES.get(error.errno or 0, unknown)
    return ": ".join([place, told, remedy] if place else [told, remedy])


def _is_path(name: object) -> TypeGuard[str | bytes]:
    # It may also be the number of an open file.
    return isinstance(name, str | bytes)


def _leaves(error: BaseException) -> Iterator[BaseException]:
    """Return the error itself, or those that a task group gathered."""
    if not isinstance(error, BaseExceptionGroup):
        yield error
        return
    for inner in error.exceptions:
        yield from _leaves(inner)


def _expected_errors() -> tuple[type[Exception], ...]:
    # Imported here because only a failed command needs them, and help must show at once.
    from pydantic import ValidationError
    from pydantic_settings import SettingsError

    from api.gateway.boot import UnsafeConfiguration
    from cli.demo import DemoFailed
    from cli.stack.errors import StackError
    from flows.errors import JobError
    from flows.shards.column_errors import MappingError
    from flows.shards.errors import ShardError
    from inference.errors import InferenceError
    from registry.domain import InvalidName
    from registry.errors import RegistryError

    return (
        DemoFailed,
        InferenceError,
        InvalidName,
        JobError,
        MappingError,
        OSError,
        RegistryError,
        SettingsError,
        ShardError,
        StackError,
        UnsafeConfiguration,
        ValidationError,
    )


def _validation_words(title: str, problems: list[tuple[tuple[int | str, ...], str]]) -> str:
    """Name each field at fault, without its value: it may be a secret."""
    told = "; ".join(f"{'.'.join(map(str, place)) or title}: {words}" for place, words in problems)
    kind = "setting NIGHTSHIFT_*" if title.endswith("Settings") else title
    return f"{kind} is not valid: {told}"


def main() -> None:
    """Run the command as a process, whose end nobody needs to interrupt."""
    try:
        app()
    finally:
        signal.signal(signal.SIGINT, signal.SIG_IGN)


if __name__ == "__main__":
    main()
