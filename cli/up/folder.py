"""Keep what the platform on one machine must know again after a restart."""

import fcntl
import json
import os
import secrets
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

from cli.stack.process import free_ports, port_is_free
from cli.up.errors import AlreadyUp, NoRoom

_NEEDED_BYTES = 1_000_000_000
"""A PostgreSQL, its log of changes, Prefect's history and some data fit in."""


@dataclass(frozen=True, slots=True)
class Secrets:
    """What only this folder knows."""

    mark: str
    """What every process that is started has in its environment."""
    postgres_password: str
    """Of PostgreSQL's superuser."""
    redis_password: str
    """Of Redis."""
    s3_access_key: str
    """The one that the S3 server answers."""
    s3_secret_key: str
    """What requests to it are signed with."""
    jwt_secret: str
    """What the API's tokens are signed with: they outlive a restart."""

    @classmethod
    def make(cls) -> "Secrets":
        """Return random ones."""
        access = f"NS{secrets.token_hex(9).upper()}"
        others = (secrets.token_hex(16) for _ in range(3))
        mark, postgres, redis = others
        return cls(mark, postgres, redis, access, secrets.token_hex(20), secrets.token_hex(32))


class UpFolder:
    """A folder with all the state of one platform."""

    def __init__(self, path: Path) -> None:
        self.path = path.absolute()

    @property
    def models(self) -> Path:
        """The model repository that both Tritons serve."""
        return self.path / "models"

    @property
    def logs(self) -> Path:
        """What the servers write, one file for each."""
        return self.path / "logs"

    @property
    def record(self) -> Path:
        """What runs now, or ran last."""
        return self.path / "running.json"

    def log(self, name: str) -> Path:
        """Return where the server of that name writes."""
        return self.logs / f"{name.lower().replace(' ', '-')}.log"

    @contextmanager
    def taken(self) -> Iterator[None]:
        """Have the folder alone for the length of the block.

        Raises `AlreadyUp` or `NoRoom`.
        """
        self.path.mkdir(parents=True, exist_ok=True)
        # Root's PostgreSQL is the user nobody, who must get through; secrets have modes of their
        # own.
        self.path.chmod(0o711 if os.geteuid() == 0 else 0o700)
        free_bytes = shutil.disk_usage(self.path).free
        if free_bytes < _NEEDED_BYTES:
            raise NoRoom(self.path, free_bytes=free_bytes, needed_bytes=_NEEDED_BYTES)
        with (self.path / "lock").open("w") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise AlreadyUp(self.path) from None
            yield

    def is_taken(self) -> bool:
        """Say whether a platform runs here, or is being started or stopped."""
        try:
            with (self.path / "lock").open() as lock:
                fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except FileNotFoundError:
            return False
        except BlockingIOError:
            return True
        return False

    def secrets(self) -> Secrets:
        """Return the folder's secrets, made the first time."""
        file = self.path / "secrets.json"
        if not file.exists():
            write_private(file, asdict(Secrets.make()))
        return Secrets(**json.loads(file.read_text()))

    def known_secrets(self) -> Secrets | None:
        """Return the folder's secrets if it has any."""
        return self.secrets() if (self.path / "secrets.json").exists() else None

    def ports(self, names: tuple[str, ...]) -> dict[str, int]:
        """Return a free port for each name: the one of last time, if nobody took it since."""
        file = self.path / "ports.json"
        before: dict[str, int] = json.loads(file.read_text()) if file.exists() else {}
        kept = {
            name: before[name] for name in names if name in before and port_is_free(before[name])
        }
        found = chosen_ports(names, before=kept, fresh=free_ports(len(names)))
        write_private(file, found)
        return found


def chosen_ports(
    names: tuple[str, ...], *, before: Mapping[str, int], fresh: tuple[int, ...]
) -> dict[str, int]:
    """Return a port for each name, different ones: the one it had before, else a fresh one."""
    held = {before[name] for name in names if name in before}
    unused = iter([port for port in fresh if port not in held])
    return {name: before[name] if name in before else next(unused) for name in names}


def write_private(file: Path, content: object) -> None:
    """Write it as JSON, whole, such that its owner alone can read it."""
    fresh = file.with_name(f".{file.name}.new")
    fresh.unlink(missing_ok=True)
    with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as opened:
        json.dump(content, opened, indent=1)
    fresh.replace(file)
