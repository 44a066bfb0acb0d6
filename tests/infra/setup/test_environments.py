"""Environments built from locks: whole, once, and again when something changed."""

import hashlib
import json
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from infra.setup import environments, stamp
from infra.setup.environments import Folders, build_platform, build_triton, platform_is_current
from infra.setup.errors import SetUpError
from infra.setup.python import Interpreter
from tests.conftest import ROOT


@pytest.fixture
def uv() -> Path:
    """The uv that the set-up of this checkout installed."""
    path = ROOT / ".nightshift" / "boot" / "bin" / "uv"
    if not path.exists():
        pytest.fail("no uv in this checkout: run `make test`, which installs it")
    return path


@pytest.fixture
def folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Folders:
    """A checkout whose locks name one package, which a folder of wheels gives."""
    wheels = tmp_path / "wheels"
    wheels.mkdir()
    monkeypatch.setenv("UV_FIND_LINKS", str(wheels))
    monkeypatch.setenv("UV_NO_INDEX", "1")
    monkeypatch.setenv("UV_CACHE_DIR", str(tmp_path / "cache"))
    found = Folders(tmp_path / "checkout")
    found.lock("demo").parent.mkdir(parents=True)
    for name in ("demo", "up", "dev", "triton"):
        _lock(found, name, _wheel(wheels, "1.0"))
    return found


def _wheel(wheels: Path, version: str) -> str:
    """Write a wheel of a package with one module; return its line in a lock."""
    info = f"tiny-{version}.dist-info"
    path = wheels / f"tiny-{version}-py3-none-any.whl"
    if not path.exists():
        with zipfile.ZipFile(path, "w") as wheel:
            wheel.writestr("tiny.py", f"version = {version!r}\n")
            wheel.writestr(
                f"{info}/METADATA", f"Metadata-Version: 2.1\nName: tiny\nVersion: {version}\n"
            )
            wheel.writestr(
                f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
            )
            wheel.writestr(f"{info}/RECORD", f"tiny.py,,\n{info}/METADATA,,\n{info}/WHEEL,,\n")
    return f"tiny=={version} --hash=sha256:{hashlib.sha256(path.read_bytes()).hexdigest()}\n"


def _lock(folders: Folders, name: str, text: str) -> None:
    folders.lock(name).write_text(text)


def _version(folder: Path) -> str:
    command = [str(folder / "bin" / "python"), "-c", "import tiny; print(tiny.version)"]
    run = subprocess.run(command, capture_output=True, text=True, check=True)
    return run.stdout.strip()


def test_builds_the_platform_once(folders: Folders, uv: Path) -> None:
    """The environment imports the locked package and the checkout, and is then current."""
    assert not platform_is_current(folders, "demo")
    build_platform(folders, uv, "demo")
    assert platform_is_current(folders, "demo")
    assert _version(folders.platform) == "1.0"
    (folders.root / "cli").mkdir()
    (folders.root / "cli" / "main.py").write_text("def main():\n    print('nightshift runs')\n")
    command = folders.platform / "bin" / "nightshift"
    run = subprocess.run([command], capture_output=True, text=True, check=True, cwd="/")
    assert run.stdout == "nightshift runs\n"


def test_a_larger_set_serves_a_smaller_one(folders: Folders, uv: Path) -> None:
    """With the packages of `make test` there is nothing to do for `make demo`; not vice versa."""
    build_platform(folders, uv, "dev")
    assert platform_is_current(folders, "demo")
    _lock(folders, "dev", _wheel(folders.root.parent / "wheels", "2.0"))
    assert not platform_is_current(folders, "demo")
    build_platform(folders, uv, "demo")
    found = stamp.read(folders.platform)
    assert found is not None
    assert (found.kind, _version(folders.platform)) == ("dev", "2.0")


def test_follows_the_lock(folders: Folders, uv: Path) -> None:
    """A changed lock brings the environment up to date without building it anew."""
    build_platform(folders, uv, "demo")
    kept = folders.platform / "kept"
    kept.touch()
    _lock(folders, "demo", _wheel(folders.root.parent / "wheels", "2.0"))
    assert not platform_is_current(folders, "demo")
    build_platform(folders, uv, "demo")
    assert platform_is_current(folders, "demo")
    assert (_version(folders.platform), kept.exists()) == ("2.0", True)


def test_rebuilds_what_was_interrupted(folders: Folders, uv: Path) -> None:
    """An environment without a stamp is not trusted."""
    build_platform(folders, uv, "demo")
    stamp.remove(folders.platform)
    rest = folders.platform / "rest"
    rest.touch()
    assert not platform_is_current(folders, "demo")
    build_platform(folders, uv, "demo")
    assert platform_is_current(folders, "demo")
    assert not rest.exists()


def test_a_failed_build_is_not_complete(folders: Folders, uv: Path) -> None:
    """A package that is not the locked one ends the build, and the next run starts over."""
    build_platform(folders, uv, "demo")
    _lock(folders, "demo", f"tiny==1.0 --hash=sha256:{'0' * 64}\n")
    shutil.rmtree(folders.root.parent / "cache")
    shutil.rmtree(folders.platform)
    with pytest.raises(SetUpError, match="installing the demo packages failed: a package is not"):
        build_platform(folders, uv, "demo")
    assert stamp.read(folders.platform) is None


def test_leaves_other_peoples_folders_alone(folders: Folders, uv: Path) -> None:
    """A .venv that is no environment is not removed."""
    folders.platform.mkdir()
    (folders.platform / "thesis.txt").write_text("years of work")
    with pytest.raises(SetUpError, match="is no virtual environment: move it away"):
        build_platform(folders, uv, "demo")
    assert (folders.platform / "thesis.txt").exists()


def test_builds_tritons_environment(folders: Folders, uv: Path) -> None:
    """Triton's environment is current until its lock changes or its interpreter is gone."""
    build_triton(folders, uv, Interpreter.current())
    assert environments.triton_is_current(folders)
    (folders.triton / "bin" / "python").unlink()
    assert not environments.triton_is_current(folders)
    build_triton(folders, uv, Interpreter.current())
    _lock(folders, "triton", _wheel(folders.root.parent / "wheels", "2.0"))
    assert not environments.triton_is_current(folders)


def test_an_odd_stamp_is_none(tmp_path: Path) -> None:
    """A stamp that cannot be read, or of another form, means that nothing is complete."""
    file = tmp_path / "nightshift-stamp.json"
    for text in ("", "[]", json.dumps({"kind": "demo"})):
        file.write_text(text)
        assert stamp.read(tmp_path) is None


def test_says_which_pythons_triton_can_use() -> None:
    """The current interpreter is described by version and path."""
    current = Interpreter.current()
    assert current.version == sys.version_info[:3]
    assert current.path.exists()
