"""Check that what is forgotten leaves the table of answers."""

import sqlite3
from contextlib import closing
from dataclasses import replace
from pathlib import Path

from registry.settings import RegistrySettings
from registry.store import open_store
from tests.contracts.test_answers import CLAIM, HOUR, NOON


def test_forgotten_keys_do_not_pile_up(tmp_path: Path) -> None:
    """Each claim sweeps up to a hundred of them, and none that is remembered."""
    file = tmp_path / "registry.db"
    store = open_store(RegistrySettings(database_url=f"sqlite:///{file}"))
    answers = store.answers()
    for number in range(150):
        assert answers.claim(replace(CLAIM, key=str(number))) is None
    assert _kept(file) == 150
    later = replace(CLAIM, now=NOON + HOUR, expires_at=NOON + 2 * HOUR)
    assert answers.claim(replace(later, key="a")) is None
    assert _kept(file) == 51
    assert answers.claim(replace(later, key="b")) is None
    assert _kept(file) == 2
    store.close()


def _kept(file: Path) -> int:
    with closing(sqlite3.connect(file)) as connection:
        found: tuple[int] = connection.execute("SELECT count(*) FROM answers").fetchone()
    return found[0]
