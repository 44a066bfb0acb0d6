"""Check how the words after `nightshift score` become a job."""

from typing import get_args

import pytest
import typer

from cli.score import parse_casts, parse_keep, parse_limit, parse_rename
from inference.jobs import CastPermission


@pytest.mark.parametrize(
    ("text", "limit"),
    [
        ("0", (0, None)),
        ("1000", (1000, None)),
        ("5%", (None, 0.05)),
        ("2.5%", (None, 0.025)),
        ("100%", (None, 1.0)),
        ("0%", (None, 0.0)),
    ],
)
def test_limits_are_rows_or_shares(text: str, limit: tuple[int | None, float | None]) -> None:
    """A per cent sign tells them apart."""
    assert parse_limit(text) == limit


@pytest.mark.parametrize("text", ["", "%", "-1", "101%", "-1%", "five", "nan%", "0.05", "1e3"])
def test_limits_that_cannot_be_read_are_usage_errors(text: str) -> None:
    """The words are shown with how to write them."""
    with pytest.raises(typer.BadParameter, match="write a share like 5%, or rows"):
        parse_limit(text)


def test_casts_are_those_of_the_job() -> None:
    """Each once, however often it is given; others are usage errors."""
    allowed = list(get_args(CastPermission))
    assert parse_casts([*allowed, allowed[0]]) == allowed
    with pytest.raises(typer.BadParameter, match="--cast banana: write lossy, temporal, parse"):
        parse_casts(["lossy", "banana"])


def test_columns_to_keep() -> None:
    """Three words with a meaning, or a list."""
    assert [parse_keep(word) for word in ("rest", "all", "none")] == ["rest", "all", "none"]
    assert parse_keep("id, month,") == ["id", "month"]


def test_names_for_outputs() -> None:
    """`OUTPUT=COLUMN`, each once; a name may hold an equals sign."""
    assert parse_rename(["y=delay", "p=a=b"]) == {"y": "delay", "p": "a=b"}


@pytest.mark.parametrize("option", ["y", "=delay", "y="])
def test_names_that_cannot_be_read_are_usage_errors(option: str) -> None:
    """The option is shown with how to write it."""
    with pytest.raises(typer.BadParameter, match=r"--rename .*: write OUTPUT=COLUMN"):
        parse_rename([option])
