"""Migrate Prefect's database once, so that its server starts fast."""

import shutil

from infra.setup import stamp
from infra.setup.environments import Folders
from infra.setup.runs import run
from infra.setup.stamp import Stamp

# cli/stack/prefect_server.py reads this file: databases with an equal one need no migration.
_MARK = "prepared-for"


def _wanted(folders: Folders) -> Stamp:
    """Return the stamp for the locked Prefect; its database changes with its version only."""
    lock = folders.lock("runtime").read_text()
    return Stamp("prefect", lock.partition("\nprefect==")[2].split()[0], "")


def is_current(folders: Folders) -> bool:
    """Say whether the locked Prefect's migrated database is there."""
    return stamp.read(folders.prefect_template) == _wanted(folders)


def build(folders: Folders) -> None:
    """Make an empty, migrated database, of which each server takes a copy.

    The run also compiles the bytecode of all that the server imports.
    """
    folder = folders.prefect_template
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    run(
        "migrating Prefect's database",
        [folders.platform / "bin" / "python", "-m", "cli.stack.prefect_app", "prepare"],
        {
            "DO_NOT_TRACK": "1",
            "PREFECT_HOME": str(folder),
            "PREFECT_PROFILES_PATH": str(folder / "profiles.toml"),
            "PREFECT_API_DATABASE_CONNECTION_URL": f"sqlite+aiosqlite:///{folder / 'prefect.db'}",
            "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
            "PREFECT_API_URL": "",
            # Without bytecode every start of the server takes twice as long.
            "PYTHONDONTWRITEBYTECODE": "",
        },
    )
    wanted = _wanted(folders)
    (folder / _MARK).write_text(wanted.sources)
    wanted.write(folder)
