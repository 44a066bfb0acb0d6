"""Find the programs that some wheels carry."""

import importlib.util
from pathlib import Path

from cli.stack.errors import SetUpMissing


def package_dir(package: str) -> Path:
    """Return the folder in which `package` is installed, without importing it.

    Raises `SetUpMissing`.
    """
    spec = importlib.util.find_spec(package)
    if spec is None or spec.origin is None:
        raise SetUpMissing(
            f"{package} is not installed in this environment: run `make up` or `make test`, "
            "which build one that has it"
        )
    return Path(spec.origin).parent
