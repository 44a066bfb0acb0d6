"""What happened to a model, and where its aliases pointed, from the command line."""

import json
import re

import pytest

from tests.cli.conftest import Command
from tests.cli.registered import registered


def test_where_an_alias_was_is_one_command(command: Command) -> None:
    """Before, between and after its moves, and once it is gone."""
    with registered() as catalog:
        for version, why in ((1, "the first"), (2, "smaller errors")):
            catalog.set_alias("churn", "champion", version, by="eve", why=why)
        catalog.delete_alias("churn", "champion", by="eve")
        gone, second, first = (event.at for event in catalog.events().items[:3])
    words = ("models", "at", "churn", "champion")
    between = command(*words, first.isoformat())
    day = r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d"
    assert re.fullmatch(
        rf"churn@champion was version 1 on {day} UTC, moved there on {day} by eve: the first\n",
        between.stdout,
    )
    later = json.loads(command(*words, second.isoformat(), "--json").stdout)
    told = [later[name] for name in ("version", "from_version", "by", "why")]
    assert told == [2, 1, "eve", "smaller errors"]
    for moment in (gone.isoformat(), "now"):
        assert "was nowhere on" in command(*words, moment).stdout
    before = command(*words, "2026-05-03 02:00")
    assert before.stderr == (
        "error: churn@champion had pointed nowhere by 2026-05-03 02:00:00 UTC: see its history "
        "with `nightshift models events churn --alias champion`\n"
    )
    assert command(*words, "yesterday").exit_code == 2


def test_the_history_is_listed(command: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    """Newest first, by kind, alias, version, person and time; as a table that says what is left.

    On a narrow terminal no kind is broken.
    """
    with registered() as catalog:
        catalog.approve("churn", 1, by="carol", why="it holds")
        catalog.set_alias("churn", "champion", 1, by="eve")
        catalog.change_model("churn", description="Who leaves", by="eve")
    words = ("models", "events", "churn")
    assert _kinds(command(*words, "--json").stdout) == [
        "model.changed",
        "alias.moved",
        "version.approved",
        "version.registered",
        "version.registered",
        "model.created",
    ]
    for choice, count in (
        (("--kind", "version.registered"), 2),
        (("--kind", "alias.moved", "--kind", "model.changed"), 2),
        (("--alias", "champion"), 1),
        (("--version", "1"), 3),
        (("--by", "eve"), 2),
        (("--until", "2026-01-01"), 0),
        (("--since", "2026-01-01"), 6),
        (("--limit", "2"), 2),
    ):
        assert len(_kinds(command(*words, *choice, "--json").stdout)) == count, choice
    table = command(*words, "--limit", "3").stdout
    for part in ("champion: – → 1", "churn@1", "description", "it holds", "carol", "--limit"):
        assert part in table
    assert "--limit" not in command(*words).stdout
    monkeypatch.setenv("COLUMNS", "60")
    narrow = command(*words).stdout
    assert narrow.count("version.registered") == 2
    nothing = command(*words, "--by", "nobody")
    assert nothing.stdout == "nothing of that kind happened\n"
    assert "choose from model.created" in command(*words, "--kind", "moved").stderr


@pytest.mark.parametrize("words", [("events", "chrun"), ("at", "chrun", "champion", "2026-05-03")])
def test_a_model_that_never_was_has_no_history(command: Command, words: tuple[str, ...]) -> None:
    """It is not taken for one to which nothing happened."""
    with registered():
        result = command("models", *words)
    assert result.stderr.startswith("error: unknown model 'chrun'; known: churn;")


def _kinds(told: str) -> list[str]:
    return [event["kind"] for event in json.loads(told)]
