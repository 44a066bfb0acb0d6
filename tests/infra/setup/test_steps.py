"""The set-up's steps: what a target needs, and one line for what is in the way."""

from pathlib import Path

import pytest

from infra.setup.environments import Folders
from infra.setup.errors import SetUpError
from infra.setup.runs import progress, run
from infra.setup.steps import check_disk, main


def test_refuses_a_full_disk(tmp_path: Path) -> None:
    """Too little space is told before anything is downloaded."""
    check_disk(Folders(tmp_path), free_bytes=4_000_000_000)
    with pytest.raises(SetUpError) as caught:
        check_disk(Folders(tmp_path), free_bytes=1_200_000_000)
    assert str(caught.value) == (
        f"{tmp_path} has 1.2 GB free, the set-up needs 3 GB: free some space"
    )


def test_refuses_an_unknown_target(capsys: pytest.CaptureFixture[str]) -> None:
    """The known targets are listed."""
    assert main([]) == 2
    assert main(["demo", "test"]) == 2
    assert capsys.readouterr().err.startswith("usage: python infra/setup {")


def test_says_what_a_step_took(capsys: pytest.CaptureFixture[str]) -> None:
    """A step's name comes when it begins, its seconds when it ends."""
    with progress("the platform's packages"):
        assert capsys.readouterr().out == "  the platform's packages\n"
    assert capsys.readouterr().out.startswith("    done in 0.")


def test_a_failed_step_is_not_done(capsys: pytest.CaptureFixture[str]) -> None:
    """A step that fails does not say that it is done."""
    with pytest.raises(SetUpError), progress("a step"):
        raise SetUpError("no")
    assert "done" not in capsys.readouterr().out


def test_runs_programs() -> None:
    """What a program writes comes back; a failing or missing one is one line."""
    assert run("asking", ["sh", "-c", "echo out; echo err >&2; echo $WORD"], {"WORD": "word"}) == (
        "out\nerr\nword\n"
    )
    with pytest.raises(SetUpError, match="asking failed: the disk is full"):
        run("asking", ["sh", "-c", "echo 'No space left on device'; exit 1"])
    with pytest.raises(SetUpError, match="asking failed: cannot run /no/such: No such file"):
        run("asking", ["/no/such"])
