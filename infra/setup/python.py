"""Find an interpreter that Triton can use."""

import json
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from infra.setup.errors import SetUpError
from infra.setup.runs import run, trust

# The wheel has stubs for more, but numpy 1.26, the last before 2, has wheels for these only.
_TRITON_VERSIONS = ((3, 12), (3, 11))
_PROBE = """
import ctypes, json, os, sys
program = os.path.realpath(sys.executable)
name = f"libpython{sys.version_info[0]}.{sys.version_info[1]}.so.1.0"
shared = os.path.join(os.path.dirname(os.path.dirname(program)), "lib", name)
def loads(path):
    try:
        ctypes.CDLL(path)
    except OSError:
        return False
    return True
print(json.dumps([list(sys.version_info[:3]), program,
                  any(map(loads, (shared, name)))]))
"""


@dataclass(frozen=True, slots=True)
class Interpreter:
    """A Python on this machine."""

    path: Path
    """Its program."""
    version: tuple[int, int, int]
    """Major, minor, micro."""

    @classmethod
    def current(cls) -> "Interpreter":
        """The one that runs this set-up."""
        return cls(Path(os.path.realpath(sys.executable)), sys.version_info[:3])

    @property
    def label(self) -> str:
        """Version and path: environments of another label are built anew."""
        return f"{'.'.join(map(str, self.version))} at {self.path}"


def check_platform() -> None:
    """Refuse machines for which there is no Triton; raises `SetUpError`."""
    if sys.platform != "linux":
        raise SetUpError(
            f"Triton's server runs on Linux only, this is {sys.platform}: use a Linux machine, "
            f"or set NIGHTSHIFT_TRITON_URLS to a Triton elsewhere and run `make install`"
        )


def for_triton(uv: Path, downloads: Path) -> Interpreter:
    """Return a Python 3.11 or 3.12 with a shared libpython.

    The current one if it will do, else one on PATH, else one that uv downloads into `downloads`.
    """
    try:
        return _installed()
    except SetUpError as nothing:
        try:
            return _downloaded(uv, downloads)
        except SetUpError as error:
            raise SetUpError(f"{nothing} (downloading one was tried, too: {error})") from error


def _downloaded(uv: Path, downloads: Path) -> Interpreter:
    """Have uv download a Python that carries its libpython."""
    version = f"{_TRITON_VERSIONS[0][0]}.{_TRITON_VERSIONS[0][1]}"
    step = f"downloading Python {version}"
    install: list[str | Path] = [
        uv,
        "python",
        "install",
        "--no-bin",
        "--install-dir",
        downloads,
        version,
    ]
    run(step, install, trust())
    for path in sorted(downloads.glob(f"cpython-{version}*/bin/python{version}")):
        found = _probe(str(path))
        if found and found[1]:
            return found[0]
    raise SetUpError(f"{step} failed: it does not run here")


def _installed() -> Interpreter:
    """Return the first that will do of the current Python and those on PATH."""
    names = [sys.executable, *(f"python{major}.{minor}" for major, minor in _TRITON_VERSIONS)]
    static = None
    for name in names:
        path = shutil.which(name)
        found = _probe(path) if path else None
        if found is None or found[0].version[:2] not in _TRITON_VERSIONS:
            continue
        if found[1]:
            return found[0]
        static = static or found[0]
    if static is not None:
        minor = f"{static.version[0]}.{static.version[1]}"
        raise SetUpError(
            f"{static.path} has no libpython{minor}.so, which Triton needs: install it "
            f"(Debian and Ubuntu: libpython{minor})"
        )
    raise SetUpError(
        "Triton needs Python 3.11 or 3.12 (numpy 1.26 has no wheels for later ones): install "
        "one beside yours, so that python3.12 or python3.11 is on PATH"
    )


def _probe(path: str) -> tuple[Interpreter, bool] | None:
    """Return the interpreter at `path`, with whether its libpython can be loaded."""
    try:
        answer = subprocess.run(
            [path, "-I", "-c", _PROBE], capture_output=True, text=True, timeout=30, check=True
        )
    except (OSError, subprocess.SubprocessError):
        return None
    version, program, shared = json.loads(answer.stdout)
    return Interpreter(Path(program), (version[0], version[1], version[2])), bool(shared)
