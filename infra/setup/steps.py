"""Do the set-up steps that a `make` target needs, each once."""

import fcntl
import shutil
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from infra.setup import database, environments
from infra.setup.environments import Folders
from infra.setup.errors import SetUpError
from infra.setup.python import check_platform, for_triton
from infra.setup.runs import progress

# What each target needs: a set of the platform's packages, whether Triton and Prefect's database.
_NEEDS = {
    "lock": (None, False),
    "install": ("demo", False),
    "demo": ("demo", True),
    "up": ("up", True),
    "bench": ("demo", True),
    "bench-online": ("demo", True),
    "lint": ("dev", False),
    "test": ("dev", True),
}
# Measured: .venv 0.95 GB, Triton 0.3 GB, both again in the installer's cache when that lies on
# another disk, and what is downloaded for them on the way.
_FREE_BYTES = 3_000_000_000
# The peers' environment is 1.4 GB, Spark's download alone 0.4 GB, the datasets are 2 GB.
_BENCH_FREE_BYTES = 8_000_000_000


def main(arguments: Sequence[str]) -> int:
    """Build what the target named in `arguments` needs; return the exit status."""
    target = arguments[0] if arguments else ""
    if len(arguments) != 1 or target not in _NEEDS:
        print(f"usage: python infra/setup {{{','.join(_NEEDS)}}}", file=sys.stderr)
        return 2
    folders = Folders(Path(__file__).resolve().parents[2])
    try:
        set_up(folders, target)
    except SetUpError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("error: interrupted: run the same command again, it goes on", file=sys.stderr)
        return 130
    return 0


def set_up(folders: Folders, target: str) -> None:
    """Build what `target` needs and is not there; raises `SetUpError`."""
    if _is_ready(folders, target):
        return
    folders.state.mkdir(exist_ok=True)
    with _alone(folders):
        if _is_ready(folders, target):
            return
        bench = target == "bench"
        check_disk(
            folders,
            free_bytes=shutil.disk_usage(folders.root).free,
            needed_bytes=_BENCH_FREE_BYTES if bench else _FREE_BYTES,
        )
        started = time.monotonic()
        size = "1.1 GB" if bench else "400 MB"
        print(f"Setting up (once; the first time downloads about {size})", flush=True)
        _build(folders, target)
        print(f"Set up in {time.monotonic() - started:.0f} s", flush=True)


def _is_ready(folders: Folders, target: str) -> bool:
    packages, servers = _NEEDS[target]
    if packages is None:
        return environments.uv_is_current(folders)
    if target == "bench" and not environments.bench_is_current(folders):
        return False
    if target == "bench-online" and not environments.mlserver_is_current(folders):
        return False
    if target == "test" and not environments.clients_are_current(folders):
        return False
    return environments.platform_is_current(folders, packages) and (
        not servers or (environments.triton_is_current(folders) and database.is_current(folders))
    )


def _build(folders: Folders, target: str) -> None:
    packages, servers = _NEEDS[target]
    if servers:
        check_platform()
    uv = environments.install_uv(folders)
    if servers and not environments.triton_is_current(folders):
        with progress("Triton, in an environment of its own"):
            environments.build_triton(folders, uv, for_triton(uv, folders.python))
    if packages is not None and not environments.platform_is_current(folders, packages):
        with progress("the platform's packages"):
            environments.build_platform(folders, uv, packages)
    if target == "bench" and not environments.bench_is_current(folders):
        with progress("what the benchmarks compare with"):
            environments.build_bench(folders, uv)
    if target == "bench-online" and not environments.mlserver_is_current(folders):
        with progress("MLServer, to compare with"):
            environments.build_mlserver(folders, uv)
    if target == "test" and not environments.clients_are_current(folders):
        with progress("stock clients to test with"):
            environments.build_clients(folders, uv)
    if servers and not database.is_current(folders):
        with progress("Prefect's database"):
            database.build(folders)


def check_disk(folders: Folders, *, free_bytes: int, needed_bytes: int = _FREE_BYTES) -> None:
    """Refuse to begin what would not fit; raises `SetUpError`."""
    if free_bytes < needed_bytes:
        raise SetUpError(
            f"{folders.root} has {free_bytes / 1e9:.1f} GB free, the set-up needs "
            f"{needed_bytes / 1e9:.0f} GB: free some space"
        )


@contextmanager
def _alone(folders: Folders) -> Iterator[None]:
    """Let one set-up at a time work in a checkout."""
    with (folders.state / "setup.lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            print("Waiting for another set-up of this checkout", flush=True)
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield
