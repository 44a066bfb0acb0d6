"""The folder of a platform: one user at a time, secrets for its owner, ports that stay."""

import os
import socket
import stat
from pathlib import Path

import pytest

from cli.up.errors import AlreadyUp, NoRoom
from cli.up.folder import UpFolder, chosen_ports


def _mode(file: Path) -> int:
    return stat.S_IMODE(file.stat().st_mode)


def test_one_at_a_time(tmp_path: Path) -> None:
    """A second one is refused in one line, until the first has left."""
    folder, second = UpFolder(tmp_path / "up"), UpFolder(tmp_path / "up")
    assert not folder.is_taken()
    with folder.taken():
        assert second.is_taken()
        with pytest.raises(AlreadyUp) as refused, second.taken():
            pass
    assert str(refused.value) == (
        f"a platform runs in {tmp_path}/up already: `nightshift status` shows it, "
        "`nightshift down` ends it"
    )
    assert not second.is_taken()
    with second.taken():
        pass


def test_secrets_are_made_once_and_their_owners_alone(tmp_path: Path) -> None:
    """The next start finds the same ones; another folder has others; nobody else reads them."""
    folder, other = UpFolder(tmp_path / "up"), UpFolder(tmp_path / "other")
    assert folder.known_secrets() is None
    with folder.taken(), other.taken():
        made = folder.secrets()
        assert UpFolder(tmp_path / "up").secrets() == made == folder.known_secrets()
        values = [getattr(made, name) for name in made.__slots__]
        theirs = [getattr(other.secrets(), name) for name in made.__slots__]
        assert len({*values, *theirs}) == 2 * len(values)
        assert min(map(len, values)) >= 20
    assert _mode(tmp_path / "up" / "secrets.json") == 0o600
    assert _mode(tmp_path / "up") == (0o711 if os.geteuid() == 0 else 0o700)


def test_ports_stay_unless_somebody_took_them(tmp_path: Path) -> None:
    """The next start has the same ports; a taken one alone is chosen anew."""
    folder = UpFolder(tmp_path)
    first = folder.ports(("a", "b"))
    assert folder.ports(("a", "b")) == first
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", first["a"]))
        taken.listen()
        second = folder.ports(("a", "b"))
    assert second["b"] == first["b"]
    assert second["a"] not in first.values()


@pytest.mark.parametrize(
    ("before", "expected"),
    [
        ({}, {"a": 1, "b": 2}),
        ({"b": 9}, {"a": 1, "b": 9}),
        ({"b": 1}, {"a": 2, "b": 1}),
        ({"a": 2, "b": 1}, {"a": 2, "b": 1}),
    ],
)
def test_ports_differ(before: dict[str, int], expected: dict[str, int]) -> None:
    """A fresh port that is one of those from before is not given twice."""
    assert chosen_ports(("a", "b"), before=before, fresh=(1, 2)) == expected


def test_a_full_disk_is_named() -> None:
    """One line says how much is free, what is needed and what to do."""
    assert str(NoRoom(Path("/x/up"), free_bytes=123_000_000, needed_bytes=10**9)) == (
        "/x/up has 0.1 GB free, the platform needs 1 GB: free some space"
    )
