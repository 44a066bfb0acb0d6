"""Check `nightshift models route` from the words typed to what is registered."""

import json
from pathlib import Path

import pytest
import typer

from cli.catalog import opened_catalog
from cli.model_routes import parse_share
from registry.domain import Signature, TensorSpec
from registry.routes import Share
from tests.cli.conftest import Command

SIGNATURE = Signature((TensorSpec("x", "FP32", (-1, 1)),), (TensorSpec("y", "FP32", (-1, 1)),))


def _registered() -> None:
    with opened_catalog() as catalog:
        for number in (1, 2, 3):
            catalog.register(
                "flights",
                signature=SIGNATURE,
                digest=f"sha256:{number:064x}",
                served_name="flights",
                served_version=str(number),
            )
        catalog.set_alias("flights", "champion", 1)


def test_requests_are_split_shown_and_put_together_again(command: Command) -> None:
    """The words say who gets what; the history keeps why."""
    _registered()
    words = ("models", "route", "flights@champion")
    whole = "flights@champion: its version answers everything\n"
    assert command(*words).stdout == whole
    split = command(*words, "--to", "2=10%", "--shadow", "3", "--why", "smaller errors")
    told = (
        "flights@champion: version 2 10 %, its own version 90 %, version 3 gets a copy of 100 %\n"
    )
    assert (split.exit_code, split.stdout) == (0, told)
    assert command(*words).stdout == told
    found = json.loads(command(*words, "--json").stdout)
    assert (found["canaries"], found["changed_by"]) == ([{"version": 2, "share": 1000}], "ada")
    more = command(*words, "--to", "2=33.33", "--json")
    assert json.loads(more.stdout)["shadow"] is None
    assert command(*words, "--clear").stdout == whole
    assert "smaller errors" in command("models", "events", "flights").stdout


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("flights@1",), "names a version"),
        (("flights@champion", "--to", "2"), "write VERSION=PERCENT%"),
        (("flights@champion", "--shadow", "x"), "write VERSION, or VERSION=PERCENT%"),
        (("flights@champion", "--to", "2=1%", "--clear"), "give it alone"),
    ],
)
def test_slips_are_told(command: Command, options: tuple[str, ...], words: str) -> None:
    """Before anything is changed."""
    _registered()
    result = command("models", "route", *options)
    assert result.exit_code == 2
    assert words in " ".join(result.stderr.replace("│", " ").split())


def test_what_the_registry_refuses_is_one_line(command: Command, tmp_path: Path) -> None:
    """Shares that do not fit, an alias that is not there, no registry."""
    assert "no registry at" in command("models", "route", "flights@champion").stderr
    _registered()
    over = command("models", "route", "flights@champion", "--to", "2=60%", "--to", "3=60%")
    assert (over.exit_code, over.stderr.count("\n")) == (1, 1)
    assert "shares of a route do not fit" in over.stderr
    assert "no alias 'next'" in command("models", "route", "flights@next", "--to", "2=1%").stderr


@pytest.mark.parametrize(
    ("option", "share"),
    [("2=10%", Share(2, 1000)), ("3=0.01", Share(3, 1)), ("4", Share(4, 10_000))],
)
def test_shares_are_read(option: str, share: Share) -> None:
    """In percent, to the hundredth."""
    assert parse_share(option, "--shadow", whole=True) == share


@pytest.mark.parametrize("option", ["2=nan%", "2=x", "=5", "2=", "2=inf"])
def test_what_is_no_share_is_refused(option: str) -> None:
    """With the form that it has."""
    with pytest.raises(typer.BadParameter, match="write VERSION"):
        parse_share(option, "--to")


@pytest.mark.parametrize("option", ["2=0%", "2=0.001%", "2=-1%", "2=100.01%", "2=200"])
def test_a_part_is_some_of_the_whole(option: str) -> None:
    """Told before anything is asked of the registry."""
    with pytest.raises(typer.BadParameter, match="choose a part from 0"):
        parse_share(option, "--to")
