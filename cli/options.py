"""Say what several commands take from the command line."""

import os
from datetime import UTC, datetime
from typing import Annotated

import typer

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")]
ApiUrl = Annotated[
    str | None, typer.Option("--api", metavar="URL", help="NIGHTSHIFT_API_URL unless given.")
]
Why = Annotated[str, typer.Option(metavar="TEXT", help="Why, for the history.")]
Name = Annotated[str, typer.Argument(metavar="NAME", help="Its name in the registry.")]
AliasName = Annotated[str, typer.Argument(metavar="ALIAS", help="The alias: champion…")]
NewTags = Annotated[
    list[str] | None,
    typer.Option("--tag", metavar="KEY=VALUE", help="A tag to find it by. Once for each."),
]
Limit = Annotated[int, typer.Option("--limit", min=1, metavar="N", help="Most events shown.")]

MOMENT_FORM = "now, or 2026-05-03T02:00, in UTC unless it names a zone"


def use_api(url: str | None) -> None:
    """Have this command talk to the API at `url`, where one is given."""
    if url is not None:
        os.environ["NIGHTSHIFT_API_URL"] = url


def person() -> str:
    """Return who runs the command, as the operating system says; empty when it does not know."""
    import getpass

    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return ""


def parse_moment(text: str) -> datetime:
    """Read a moment as ISO 8601 has it, or `now`; raises `typer.BadParameter`."""
    if text == "now":
        return datetime.now(UTC)
    try:
        moment = datetime.fromisoformat(text)
        return moment.replace(tzinfo=moment.tzinfo or UTC).astimezone(UTC)
    except (ValueError, OverflowError) as error:
        raise typer.BadParameter(f"{text!r} is no moment: write {MOMENT_FORM}") from error


def parse_tags(options: list[str]) -> dict[str, str]:
    """Read `KEY=VALUE` options; raises `typer.BadParameter`."""
    tags: dict[str, str] = {}
    for option in options:
        key, equals, value = option.partition("=")
        if not (key and equals):
            raise typer.BadParameter(f"--tag {option}: write KEY=VALUE")
        if key in tags:
            raise typer.BadParameter(f"--tag names {key} twice: give it one value")
        tags[key] = value
    return tags
