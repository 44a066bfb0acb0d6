"""Remember what a folder was built from, so that it is built once."""

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path

_NAME = "nightshift-stamp.json"


@dataclass(frozen=True, slots=True)
class Stamp:
    """What a folder was built from; equal stamps mean that there is nothing to do."""

    kind: str
    """Which set of packages, or which database."""
    sources: str
    """sha256 of the files it was built from."""
    python: str
    """The interpreter it was built with, version and path."""

    def write(self, folder: Path) -> None:
        """Declare `folder` complete; the last thing that a build does."""
        temporary = folder / f"{_NAME}.new"
        temporary.write_text(json.dumps({k: getattr(self, k) for k in self.__slots__}))
        temporary.replace(folder / _NAME)


def read(folder: Path) -> Stamp | None:
    """Return the stamp of `folder`; None when it is not complete."""
    try:
        return Stamp(**json.loads((folder / _NAME).read_text()))
    except (OSError, ValueError, TypeError):
        return None


def remove(folder: Path) -> None:
    """Declare `folder` incomplete; the first thing that a build does."""
    (folder / _NAME).unlink(missing_ok=True)


def digest(*files: Path) -> str:
    """Return the sha256 of the files' bytes, in order."""
    total = hashlib.sha256()
    for file in files:
        total.update(file.read_bytes())
    return total.hexdigest()
