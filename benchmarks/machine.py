"""Say on what was measured."""

import json
import os
import platform
import subprocess
from collections.abc import Iterable, Mapping
from importlib.metadata import version
from pathlib import Path

JAVA = 17
"""The oldest Java that Spark 4 runs on."""
_OURS = ("numpy", "prefect", "pyarrow", "tritonclient")
_PEERS = ("daft", "numpy", "pyarrow", "pyspark", "ray", "tritonclient")
_ASK = """
import importlib.metadata, json, sys
print(json.dumps({name: importlib.metadata.version(name) for name in sys.argv[1:]}))
"""


def machine() -> dict[str, object]:
    """Describe processors, memory and system."""
    return {
        "cores": os.cpu_count(),
        "processor": _processor(),
        "memory_gb": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9),
        "system": f"{platform.system()} {platform.release().partition('-')[0]}",
    }


def _processor() -> str:
    """Return the processor's own name, or its architecture where it does not say."""
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        name, _, value = line.partition(":")
        if name.strip() == "model name":
            return value.strip()
    return platform.machine()


def packages(names: Iterable[str]) -> dict[str, str]:
    """Return the versions of Python and of these packages, in our environment."""
    return {"python": platform.python_version()} | {name: version(name) for name in names}


def versions(peers_python: Path) -> dict[str, Mapping[str, str]]:
    """Return the versions of what matters, in our environment and in the peers'."""
    asked = subprocess.run(
        [peers_python, "-c", _ASK, *_PEERS], capture_output=True, text=True, check=True
    )
    return {
        "nightshift": packages(_OURS),
        "peers": json.loads(asked.stdout),
    }


def commit(folder: Path) -> dict[str, str]:
    """Name the commit that the folder's checkout is at, with `+` where files differ from it.

    Empty outside of a checkout. Tables and figures that a run wrote itself do not count.
    """
    written = [":/", ":(exclude,top)benchmarks/README.md", ":(exclude,top)benchmarks/results"]
    try:
        name = _git(folder, "rev-parse", "--short", "HEAD").strip()
        changed = _git(folder, "status", "--porcelain", "--", *written)
    except (OSError, subprocess.CalledProcessError):
        return {}
    return {"commit": f"{name}+" if changed else name}


def _git(folder: Path, *arguments: str) -> str:
    asked = ["git", "-C", str(folder), *arguments]
    return subprocess.run(asked, capture_output=True, text=True, check=True).stdout


def java_version() -> int | None:
    """Return the major version of Java on this machine; None when there is none."""
    home = os.environ.get("JAVA_HOME")
    program = Path(home) / "bin" / "java" if home else Path("java")
    try:
        said = subprocess.run([program, "-version"], capture_output=True, text=True, check=True)
    except (OSError, subprocess.SubprocessError):
        return None
    # openjdk version "17.0.15" 2025-04-15; before Java 9 it was "1.8.0".
    number = said.stderr.partition('"')[2].partition('"')[0].removeprefix("1.")
    major = number.partition(".")[0]
    return int(major) if major.isdigit() else None
