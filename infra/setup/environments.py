"""Build the virtual environments from their locks."""

import shutil
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from infra.setup import stamp
from infra.setup.errors import SetUpError
from infra.setup.python import Interpreter
from infra.setup.runs import progress, run, trust
from infra.setup.stamp import Stamp

# What scoring and the demo import: a tenth of what is installed, and what one waits for.
_COMPILED = (
    *("onnxruntime", "pyarrow.compute", "pyarrow.dataset", "pyarrow.parquet"),
    *("s3fs", "skl2onnx", "sklearn.ensemble", "sqlalchemy", "tritonclient.grpc", "typer"),
)
# What `nightshift up` starts besides.
_COMPILED_FOR_UP = ("alembic.command", "moto.server", "prefect.cli.root", "prefect.workers.process")
_COMPILED_FOR_BENCH = (
    *("daft", "moto.server", "pandas", "pyarrow.parquet", "pyspark.ml.functions", "pyspark.sql"),
    *("ray.data", "tritonclient.grpc", "tritonclient.http"),
)
# Not every set of packages has all of them.
_COMPILE = """
import contextlib, importlib, sys
for name in sys.argv[1:]:
    with contextlib.suppress(ImportError):
        importlib.import_module(name)
"""
# Larger sets come after those that they contain.
PLATFORM_SETS = ("demo", "up", "dev")


@dataclass(frozen=True, slots=True)
class Folders:
    """Where things lie in a checkout."""

    root: Path
    """The repository."""

    @property
    def state(self) -> Path:
        """Everything that is built or kept, except .venv."""
        return self.root / ".nightshift"

    @property
    def platform(self) -> Path:
        """The platform's environment."""
        return self.root / ".venv"

    @property
    def triton(self) -> Path:
        """Triton's environment."""
        return self.state / "triton-env"

    @property
    def bench(self) -> Path:
        """What the benchmarks compare with."""
        return self.state / "bench-env"

    @property
    def mlserver(self) -> Path:
        """The other server that online requests are measured on."""
        return self.state / "mlserver-env"

    @property
    def clients(self) -> Path:
        """Stock clients that the API is tested with, on top of the platform's environment."""
        return self.state / "clients-env"

    @property
    def boot(self) -> Path:
        """Where uv is installed."""
        return self.state / "boot"

    @property
    def python(self) -> Path:
        """Where a Python is downloaded to, when none on this machine suits Triton."""
        return self.state / "python"

    @property
    def prefect_template(self) -> Path:
        """The migrated database that Prefect's servers start from."""
        return self.state / "prefect" / "template"

    def lock(self, name: str) -> Path:
        """The locked requirements called `name`."""
        return self.root / "requirements" / f"{name}.txt"


def uv_is_current(folders: Folders) -> bool:
    """Say whether uv is there, as locked."""
    return stamp.read(folders.boot) == _uv_stamp(folders)


def _uv_stamp(folders: Folders) -> Stamp:
    return Stamp("boot", stamp.digest(folders.lock("bootstrap")), "")


def install_uv(folders: Folders) -> Path:
    """Install uv from its own lock, with pip; return its path."""
    uv = folders.boot / "bin" / "uv"
    lock = folders.lock("bootstrap")
    if uv_is_current(folders):
        return uv
    with progress("uv, the installer"):
        shutil.rmtree(folders.boot, ignore_errors=True)
        folders.boot.mkdir(parents=True)
        options: list[str | Path] = [
            "--quiet",
            "--disable-pip-version-check",
            "--no-deps",
            "--retries",
            "2",
        ]
        install = ["-m", "pip", "install", *options, "--require-hashes", "-r", lock]
        try:
            run("installing uv", [sys.executable, *install, "--target", folders.boot])
        except SetUpError as error:
            if "No module named pip" not in str(error):
                raise
            _install_uv_without_pip(folders, install)
        _uv_stamp(folders).write(folders.boot)
    return uv


def _install_uv_without_pip(folders: Folders, install: list[str | Path]) -> None:
    """Take pip from an environment of its own, when the interpreter has none."""
    try:
        run("creating an environment", [sys.executable, "-m", "venv", folders.boot])
    except SetUpError as error:
        version = f"{sys.version_info.major}.{sys.version_info.minor}"
        raise SetUpError(
            f"{sys.executable} has neither pip nor venv: install them "
            f"(Debian and Ubuntu: python{version}-venv)"
        ) from error
    run("installing uv", [folders.boot / "bin" / "python", *install])


def platform_is_current(folders: Folders, name: str) -> bool:
    """Say whether .venv holds the set `name`, or a larger one."""
    larger = PLATFORM_SETS[PLATFORM_SETS.index(name) :]
    found = stamp.read(folders.platform)
    return found is not None and any(found == _platform_stamp(folders, kind) for kind in larger)


def build_platform(folders: Folders, uv: Path, name: str) -> None:
    """Make .venv hold the set `name` of packages, with the `nightshift` command.

    Packages of a larger set that are there are kept, at the versions that are locked now.
    """
    found = stamp.read(folders.platform)
    if found is not None and found.kind in PLATFORM_SETS[PLATFORM_SETS.index(name) :]:
        name = found.kind
    _build(folders.platform, uv, _platform_stamp(folders, name), folders.lock(name), None)
    packages = next(folders.platform.glob("lib/python3.*/site-packages"))
    (packages / "nightshift.pth").write_text(f"{folders.root}\n")
    command = folders.platform / "bin" / "nightshift"
    command.write_text(
        f"#!{folders.platform / 'bin' / 'python'}\nfrom cli.main import main\n\n"
        # A process that this one spawns reads the file again.
        'if __name__ == "__main__":\n    main()\n'
    )
    command.chmod(0o755)
    _compile(folders.platform, _COMPILED if name == "demo" else (*_COMPILED, *_COMPILED_FOR_UP))
    _platform_stamp(folders, name).write(folders.platform)


def triton_is_current(folders: Folders) -> bool:
    """Say whether Triton's environment is complete, with an interpreter that is still there."""
    found = stamp.read(folders.triton)
    return (
        found is not None
        and found.sources == stamp.digest(folders.lock("triton"))
        and _python(folders.triton).exists()
    )


def build_triton(folders: Folders, uv: Path, interpreter: Interpreter) -> None:
    """Make Triton's environment: the server, the numpy that it needs, onnxruntime."""
    lock = folders.lock("triton")
    wanted = Stamp("triton", stamp.digest(lock), interpreter.label)
    _build(folders.triton, uv, wanted, lock, interpreter)
    wanted.write(folders.triton)


def clients_are_current(folders: Folders) -> bool:
    """Say whether the stock clients are there, as locked."""
    return stamp.read(folders.clients) == _clients_stamp(folders)


def build_clients(folders: Folders, uv: Path) -> None:
    """Make the environment of the stock clients, which uses what the platform's has as well."""
    wanted = _clients_stamp(folders)
    _build(folders.clients, uv, wanted, folders.lock("clients"), None)
    wanted.write(folders.clients)


def _clients_stamp(folders: Folders) -> Stamp:
    return Stamp("clients", stamp.digest(folders.lock("clients")), Interpreter.current().label)


def mlserver_is_current(folders: Folders) -> bool:
    """Say whether MLServer is there, as locked."""
    return stamp.read(folders.mlserver) == _mlserver_stamp(folders)


def build_mlserver(folders: Folders, uv: Path) -> None:
    """Make MLServer's environment, as its users would have it."""
    wanted = _mlserver_stamp(folders)
    _build(folders.mlserver, uv, wanted, folders.lock("mlserver"), None)
    wanted.write(folders.mlserver)


def _mlserver_stamp(folders: Folders) -> Stamp:
    return Stamp("mlserver", stamp.digest(folders.lock("mlserver")), Interpreter.current().label)


def bench_is_current(folders: Folders) -> bool:
    """Say whether the environment of what the benchmarks compare with is complete."""
    return stamp.read(folders.bench) == _bench_stamp(folders)


def build_bench(folders: Folders, uv: Path) -> None:
    """Make the environment of what the benchmarks compare with."""
    _build(folders.bench, uv, _bench_stamp(folders), folders.lock("bench"), None)
    _compile(folders.bench, _COMPILED_FOR_BENCH)
    _bench_stamp(folders).write(folders.bench)


def _bench_stamp(folders: Folders) -> Stamp:
    return Stamp("bench", stamp.digest(folders.lock("bench")), Interpreter.current().label)


def _platform_stamp(folders: Folders, name: str) -> Stamp:
    # The root is part of it: scripts and .pth in .venv break when the checkout is moved.
    python = f"{Interpreter.current().label} in {folders.root}"
    return Stamp(name, stamp.digest(folders.lock(name)), python)


def _build(
    folder: Path, uv: Path, wanted: Stamp, lock: Path, interpreter: Interpreter | None
) -> None:
    """Install exactly what `lock` lists into `folder`.

    A complete environment of the same Python is brought up to date; anything else is built anew:
    one whose build was interrupted, one whose interpreter is gone.
    """
    found = stamp.read(folder)
    if found is None or found.python != wanted.python or not _python(folder).exists():
        _clear(folder)
        python = sys.executable if interpreter is None else str(interpreter.path)
        command: list[str | Path] = [uv, "venv", "--quiet", "--no-project", "--no-python-downloads"]
        run("creating an environment", [*command, "--python", python, folder])
    stamp.remove(folder)
    run(
        f"installing the {wanted.kind} packages",
        [uv, "pip", "sync", "--no-progress", "--require-hashes", lock],
        {"VIRTUAL_ENV": str(folder), **trust()},
    )


def _compile(folder: Path, modules: Sequence[str]) -> None:
    """Import the modules once, which keeps their bytecode.

    Without it a command spends seconds compiling, some of them while it scores.
    """
    run(
        "compiling bytecode",
        [_python(folder), "-c", _COMPILE, *modules],
        {"PYTHONDONTWRITEBYTECODE": "", "DO_NOT_TRACK": "1"},
    )


def _python(folder: Path) -> Path:
    """Return the environment's interpreter: a link, dead when the one it is of was removed."""
    return folder / "bin" / "python"


def _clear(folder: Path) -> None:
    if folder.is_symlink():
        folder.unlink()
    elif folder.exists():
        if not (folder / "pyvenv.cfg").exists() and any(folder.iterdir()):
            raise SetUpError(f"{folder} is no virtual environment: move it away")
        shutil.rmtree(folder)
