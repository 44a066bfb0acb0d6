"""Migrate Prefect's database once, so that its server starts fast."""

import shutil
from pathlib import Path

from infra.setup import stamp
from infra.setup.environments import Folders
from infra.setup.runs import run
from infra.setup.stamp import Stamp

TEMPLATE = "template"


def _wanted(folders: Folders) -> Stamp:
    """Return the stamp for the locked Prefect; its database changes with its version only."""
    lock = folders.lock("runtime").read_text()
    return Stamp("prefect", lock.partition("\nprefect==")[2].split()[0], "")


def is_current(folders: Folders) -> bool:
    """Say whether the locked Prefect's migrated database is there."""
    return stamp.read(folders.prefect / TEMPLATE) == _wanted(folders)


def build(folders: Folders) -> None:
    """Make an empty, migrated database, from which each kept server and each test copies its own.

    The run also compiles the bytecode of all that the server imports.
    """
    folder: Path = folders.prefect / TEMPLATE
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    run(
        "migrating Prefect's database",
        [folders.platform / "bin" / "prefect", "server", "database", "upgrade", "--yes"],
        {
            "PREFECT_HOME": str(folder),
            "PREFECT_PROFILES_PATH": str(folder / "profiles.toml"),
            "PREFECT_API_DATABASE_CONNECTION_URL": f"sqlite+aiosqlite:///{folder / 'prefect.db'}",
            "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
            "DO_NOT_TRACK": "1",
        },
    )
    _wanted(folders).write(folder)
