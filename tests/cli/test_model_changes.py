"""Approvals, descriptions and deletions from the command line."""

import json

import pytest

from tests.cli.conftest import Command
from tests.cli.registered import registered


def test_somebody_else_approves(command: Command) -> None:
    """Told in words or as JSON, and shown with the version; one's own is refused."""
    with registered() as catalog:
        told = command("models", "approve", "churn@2", "--why", "smaller errors")
        assert told.stdout == "churn@2 is approved by ada\n"
        catalog.set_alias("churn", "champion", 1)
        first = json.loads(command("models", "approve", "churn@champion", "--json").stdout)
        assert (first["version"], first["by"], first["why"]) == (1, "ada", "")
    shown = command("models", "show", "churn@2").stdout
    assert "UTC by ada: smaller errors" in shown
    assert "[-1, 3]" in shown
    found = json.loads(command("models", "show", "churn@2", "--json").stdout)
    assert [(each["by"], each["why"]) for each in found["approvals"]] == [("ada", "smaller errors")]
    with registered(versions=3, by="ada"):
        own = command("models", "approve", "churn@3")
    assert own.stderr == ("error: churn@3 was registered by ada: have somebody else approve it\n")


def test_what_is_said_of_a_model_changes(command: Command) -> None:
    """What is not named stays; nothing at all is a usage error."""
    with registered() as catalog:
        words = ("models", "describe", "churn")
        told = command(*words, "--description", "Who leaves", "--tag", "team=x", "--tag", "tier=1")
        assert told.stdout == "churn: Who leaves  team=x tier=1\n"
        changed = command(*words, "--untag", "tier", "--tag", "team=y", "--why", "moved", "--json")
        found = json.loads(changed.stdout)
        assert (found["description"], found["tags"]) == ("Who leaves", {"team": "y"})
        (event, *_) = catalog.events().items
        assert (event.by, event.why, event.change) == ("ada", "moved", {"tags": {"team": "y"}})
        assert command(*words).exit_code == 2
    (listed,) = json.loads(command("models", "list", "--tag", "team=y", "--json").stdout)
    assert listed["name"] == "churn"
    none = command("models", "list", "--tag", "team=x")
    assert none.stdout.startswith("no such models in ")


def test_what_nothing_needs_is_deleted(command: Command) -> None:
    """A version, or the model with all; what is in use stays and says by what."""
    with registered() as catalog:
        catalog.set_alias("churn", "champion", 1)
        kept = command("models", "delete", "churn@1")
        assert kept.stderr == (
            "error: churn@1 is in use by alias champion: end or move those first\n"
        )
        assert command("models", "delete", "churn@2", "--why", "wrong").stdout == (
            "churn@2 is no more\n"
        )
        assert [version.version for version in catalog.versions("churn").items] == [1]
        assert command("models", "delete", "churn").exit_code == 1
        catalog.delete_alias("churn", "champion")
        gone = command("models", "delete", "churn", "--json").stdout
        assert json.loads(gone) == {"deleted": "churn"}
        assert catalog.models().items == ()


@pytest.mark.parametrize(
    ("words", "status"), [(("churn@champion",), 2), (("churn@",), 1), (("a/b",), 1)]
)
def test_only_versions_and_models_are_deleted(
    command: Command, words: tuple[str, ...], status: int
) -> None:
    """An alias has a command of its own."""
    with registered():
        assert command("models", "delete", *words).exit_code == status
