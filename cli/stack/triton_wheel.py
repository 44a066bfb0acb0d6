"""Find what a Triton server needs in the environment that carries its wheel."""

import contextlib
import hashlib
import os
import re
import tempfile
from dataclasses import dataclass
from pathlib import Path

from cli.stack.errors import SetUpMissing


@dataclass(frozen=True, slots=True)
class TritonWheel:
    """What a server needs from the environment that carries Triton."""

    env_dir: Path
    """The virtual environment: its Python runs the models."""
    python_version: str
    """`3.11`: chooses the stub."""
    library_dir: Path
    """Where the interpreter's libpython lies."""
    site_packages: Path
    """Where the wheel was installed."""

    @classmethod
    def find(cls, env_dir: Path) -> "TritonWheel":
        """Look for Triton in `env_dir`; raises `SetUpMissing`."""
        env_dir = env_dir.absolute()
        packages = sorted(env_dir.glob("lib/python3.*/site-packages"))
        if not packages or not (packages[-1] / "pytriton" / "tritonserver").is_dir():
            raise SetUpMissing(
                f"no Triton in {env_dir}: run `make demo` or `make test` to build it"
            )
        settings = (env_dir / "pyvenv.cfg").read_text()
        home = re.search(r"^home\s*=\s*(.+)$", settings, re.MULTILINE)
        if home is None:
            raise SetUpMissing(f"{env_dir} is no virtual environment: remove it, run `make demo`")
        base = Path(home.group(1).strip()).resolve().parent
        version = packages[-1].parent.name.removeprefix("python")
        return cls(env_dir, version, base / "lib", packages[-1])

    @property
    def _wheel(self) -> Path:
        return self.site_packages / "pytriton" / "tritonserver"

    @property
    def program(self) -> Path:
        """The tritonserver binary."""
        return self._wheel / "bin" / "tritonserver"

    def lay_out_backends(self, state_dir: Path) -> Path:
        """Return a backend directory below `state_dir` with the Python backend in it.

        It is made when missing; safe to repeat, from several processes too.
        """
        digest = hashlib.sha256(str(self.env_dir).encode()).hexdigest()
        target = state_dir / f"backends-{self.python_version}-{digest[:8]}"
        if (target / "python").exists():
            return target
        state_dir.mkdir(parents=True, exist_ok=True)
        stub = self._wheel / "python_backend_stubs" / self.python_version
        with tempfile.TemporaryDirectory(dir=state_dir, prefix=".backends-") as temporary:
            fresh = Path(temporary) / "backends"
            (fresh / "python").mkdir(parents=True)
            for source in (
                self._wheel / "backends" / "python" / "libtriton_python.so",
                self._wheel / "backends" / "python" / "triton_python_backend_utils.py",
                stub / "triton_python_backend_stub",
            ):
                # Links: the wheel's files find their libraries relative to where they lie.
                (fresh / "python" / source.name).symlink_to(source)
            # Fails only when another process was first, and then there is nothing to do.
            with contextlib.suppress(OSError):
                fresh.rename(target)
        return target

    def environment(self) -> dict[str, str]:
        """Return the environment variables that the server needs beyond this process's own."""
        libraries = [self.site_packages / "nvidia_pytriton.libs", self.library_dir]
        return {
            "LD_LIBRARY_PATH": os.pathsep.join(map(str, libraries)),
            "PATH": f"{self.env_dir / 'bin'}{os.pathsep}{os.environ.get('PATH', os.defpath)}",
            "VIRTUAL_ENV": str(self.env_dir),
            # A model repository is input: nothing is written into it.
            "PYTHONDONTWRITEBYTECODE": "1",
            # Instances are how a Triton server uses its cores. OpenBLAS' own threads spin between
            # requests: scoring 2 million wide rows cost 1.6 s of processor time more with two.
            "OPENBLAS_NUM_THREADS": os.environ.get("OPENBLAS_NUM_THREADS", "1"),
        }
