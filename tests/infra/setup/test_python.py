"""The interpreter that Triton runs on: the current one, another, or a downloaded one."""

import sys
from pathlib import Path

import pytest

from infra.setup.errors import SetUpError
from infra.setup.python import Interpreter, for_triton

_SUITS = sys.version_info[:2] in ((3, 11), (3, 12))


def _program(path: Path, text: str) -> Path:
    """Write a shell script that stands for a program that this machine may not have."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)
    return path


def _python(path: Path, version: str, *, shared: bool) -> Path:
    """Write a Python that answers the probe."""
    answer = f'[[{version.replace(".", ", ")}], "{path}", {str(shared).lower()}]'
    return _program(path, f"echo '{answer}'")


@pytest.fixture
def on_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A PATH with nothing on it, and a current interpreter that does not suit Triton."""
    folder = tmp_path / "bin"
    current = _python(tmp_path / "current" / "python", "3.14.0", shared=True)
    monkeypatch.setenv("PATH", str(folder))
    monkeypatch.setattr(sys, "executable", str(current))
    return folder


@pytest.mark.skipif(not _SUITS, reason="the current interpreter is not one for Triton")
def test_takes_the_current_one(tmp_path: Path) -> None:
    """Nothing is looked for while the interpreter at hand suits."""
    found = for_triton(tmp_path / "no-uv", tmp_path)
    assert found.version[:2] in ((3, 11), (3, 12))


def test_takes_one_from_the_path(on_path: Path, tmp_path: Path) -> None:
    """An interpreter on PATH serves beside one that is too new; one without libpython does not."""
    _python(on_path / "python3.12", "3.12.1", shared=False)
    eleven = _python(on_path / "python3.11", "3.11.9", shared=True)
    assert for_triton(tmp_path / "no-uv", tmp_path) == Interpreter(eleven, (3, 11, 9))


def test_downloads_one(on_path: Path, tmp_path: Path) -> None:
    """Without one on the machine uv is asked for one."""
    downloads = tmp_path / "python"
    python = _python(
        downloads / "cpython-3.12.9-linux" / "bin" / "python3.12", "3.12.9", shared=True
    )
    uv = _program(tmp_path / "uv", f'echo "$@" > {tmp_path / "asked"}')
    assert for_triton(uv, downloads) == Interpreter(python, (3, 12, 9))
    assert (tmp_path / "asked").read_text() == (
        f"python install --no-bin --install-dir {downloads} 3.12\n"
    )


def test_says_what_to_install(on_path: Path, tmp_path: Path) -> None:
    """When no download is possible either, the line says what to install."""
    uv = _program(tmp_path / "uv", "echo 'cause: dns error'; exit 2")
    with pytest.raises(SetUpError) as caught:
        for_triton(uv, tmp_path)
    assert str(caught.value) == (
        "Triton needs Python 3.11 or 3.12 (numpy 1.26 has no wheels for later ones): install one "
        "beside yours, so that python3.12 or python3.11 is on PATH (downloading one was tried, "
        "too: downloading Python 3.12 failed: the package registry cannot be reached: check the "
        "network, or HTTPS_PROXY, then run the same command again (dns error))"
    )
    _python(on_path / "python3.11", "3.11.9", shared=False)
    with pytest.raises(SetUpError, match=r"has no libpython3\.11\.so, which Triton needs: install"):
        for_triton(uv, tmp_path)
