"""Check that what is forgotten leaves the table of answers."""

import sqlite3
from contextlib import closing
from dataclasses import replace
from pathlib import Path

from registry.answers import Claim
from registry.settings import RegistrySettings
from registry.store import SqlStore, open_store
from tests.contracts.test_answers import CLAIM, HOUR, NOON


def test_forgotten_keys_do_not_pile_up(tmp_path: Path) -> None:
    """Each claim sweeps up to a hundred of them, and none that is remembered."""
    file = tmp_path / "registry.db"
    store = open_store(RegistrySettings(database_url=f"sqlite:///{file}"))
    _claim(store, *(replace(CLAIM, key=str(number)) for number in range(150)))
    assert _kept(file) == 150
    later = replace(CLAIM, now=NOON + HOUR, expires_at=NOON + 2 * HOUR)
    _claim(store, replace(later, key="a"))
    assert _kept(file) == 51
    _claim(store, replace(later, key="b"))
    assert _kept(file) == 2
    store.close()


def _claim(store: SqlStore, *claims: Claim) -> None:
    for claim in claims:
        with store.writing() as rows:
            assert rows.claim_key(claim) is None


def _kept(file: Path) -> int:
    with closing(sqlite3.connect(file)) as connection:
        found: tuple[int] = connection.execute("SELECT count(*) FROM answers").fetchone()
    return found[0]
