"""Tell the S3 server's process what it is to be, by its environment."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

_FOLDER = "S3_APP_FOLDER"
_ACCESS_KEY = "S3_APP_ACCESS_KEY"
_CARELESS = "S3_APP_CARELESS"


@dataclass(frozen=True, slots=True)
class S3AppSettings:
    """What an S3 server is to be."""

    folder: Path | None
    """Where objects are kept; None for a server whose objects end with it."""
    access_key: str
    """The key that requests must have; empty for any."""
    careless: bool
    """Whether conditions are ignored."""

    def environment(self) -> dict[str, str]:
        """Return the variables that say so."""
        return {
            _FOLDER: str(self.folder or ""),
            _ACCESS_KEY: self.access_key,
            _CARELESS: "1" if self.careless else "",
        }

    @classmethod
    def read(cls, environment: Mapping[str, str]) -> "S3AppSettings":
        """Return what the variables say."""
        folder = environment.get(_FOLDER)
        return cls(
            folder=Path(folder) if folder else None,
            access_key=environment.get(_ACCESS_KEY, ""),
            careless=bool(environment.get(_CARELESS)),
        )
