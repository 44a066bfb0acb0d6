"""Say which version of the platform runs."""

import tomllib
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

_PROJECT = Path(__file__).parents[1] / "pyproject.toml"


def platform_version() -> str:
    """Return the installed version, or that of the source folder that this program runs from."""
    try:
        return version("nightshift")
    except PackageNotFoundError:
        return str(tomllib.loads(_PROJECT.read_text())["project"]["version"])
