"""Aliases from the command line: moved, rolled back, protected, taken away."""

import json

import pytest

from tests.cli.conftest import Command
from tests.cli.registered import registered


def test_an_alias_comes_back(command: Command) -> None:
    """Where it was before, whoever moved it; what was never elsewhere has no way back."""
    with registered() as catalog:
        assert command("models", "alias", "churn@1", "champion").stdout == (
            "churn@champion is now version 1\n"
        )
        nowhere = command("models", "rollback", "churn", "champion")
        assert nowhere.stderr.startswith("error: churn@champion has pointed to one version only")
        catalog.set_alias("churn", "champion", 2, by="eve")
        back = command("models", "rollback", "churn", "champion", "--json")
        assert json.loads(back.stdout)["version"] == 1
        (last, *_) = catalog.moves("churn")
        assert (last.from_version, last.to_version, last.by, last.why) == (
            *(2, 1),
            *("ada", "rolled back"),
        )


def test_an_alias_that_is_gone_is_not_rolled_back(command: Command) -> None:
    """Nobody can say whether it should be where it was, or where it was before."""
    with registered() as catalog:
        for version in (1, 2):
            catalog.set_alias("churn", "champion", version)
        gone = command("models", "unalias", "churn", "champion", "--why", "retired")
        assert gone.stdout == "churn@champion is no more\n"
        assert catalog.aliases("churn").items == ()
        back = command("models", "rollback", "churn", "champion")
        assert back.stderr.startswith("error: churn@champion does not exist now: look at")


def test_a_protected_alias_waits_for_an_approval(command: Command) -> None:
    """Each refusal names the command that helps; the approver must be a third person."""
    with registered() as catalog:
        told = command("models", "protect", "churn", "champion", "--why", "it is live")
        assert told.stdout == "churn@champion may point to approved versions only\n"
        assert (
            "protected, for approved versions only: champion"
            in command("models", "show", "churn").stdout
        )
        refused = command("models", "alias", "churn@1", "champion")
        assert refused.exit_code == 1
        assert "`nightshift models approve churn@1`" in refused.stderr
        catalog.approve("churn", 1, by="carol")
        assert command("models", "alias", "churn@1", "champion").exit_code == 0
        stays = command("models", "unalias", "churn", "champion")
        assert "`nightshift models unprotect churn champion`" in stays.stderr
        free = command("models", "unprotect", "churn", "champion", "--json")
        assert json.loads(free.stdout)["protected"] == []
        gone = command("models", "unalias", "churn", "champion", "--json")
        assert json.loads(gone.stdout) == {"deleted": "churn@champion"}


@pytest.mark.parametrize("verb", ["rollback", "unalias", "protect", "unprotect"])
def test_an_unknown_model_is_one_line(command: Command, verb: str) -> None:
    """With those that are known."""
    with registered():
        result = command("models", verb, "chrun", "champion")
    assert (result.exit_code, result.stderr.count("\n")) == (1, 1)
    assert result.stderr.startswith("error: unknown model 'chrun'; known: churn;")
