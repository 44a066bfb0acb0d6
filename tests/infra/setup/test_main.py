"""The set-up's entrance: an old Python gets one clear line."""

import ast
import subprocess
import sys

from tests.conftest import ROOT

_ENTRANCE = ROOT / "infra" / "setup" / "__main__.py"


def _run(arguments: list[str], *, version: tuple[int, int] | None = None) -> tuple[int, str]:
    """Run the entrance, as a Python of another `version` sees it; return status and errors."""
    pretend = f"sys.version_info = {(*version, 0)};" if version else ""
    code = (
        f"import runpy, sys; {pretend} sys.argv = {['setup', *arguments]!r};"
        f"runpy.run_path({str(_ENTRANCE.parent)!r}, run_name='__main__')"
    )
    run = subprocess.run(
        [sys.executable, "-S", "-c", code], capture_output=True, text=True, check=False
    )
    return run.returncode, run.stderr


def test_old_pythons_can_read_it() -> None:
    """The entrance parses on Pythons that are far too old."""
    ast.parse(_ENTRANCE.read_text(), feature_version=(3, 4))
    assert 'f"' not in _ENTRANCE.read_text()


def test_names_an_old_python_with_the_remedy() -> None:
    """One line says which Python it is, which is needed and how to name another."""
    assert _run(["demo"], version=(3, 9)) == (
        1,
        f"error: Python 3.9 ({sys.executable}) is too old, Nightshift needs 3.11 or later: "
        "install it, or name it, for example `make demo PYTHON=python3.11`\n",
    )


def test_says_how_it_is_used() -> None:
    """An unknown target is refused with the known ones."""
    status, errors = _run(["everything"])
    assert (status, errors) == (
        2,
        "usage: python infra/setup {lock,install,demo,up,bench,bench-online,lint,test}\n",
    )


def test_is_quick_when_nothing_is_to_do() -> None:
    """The entrance imports the standard library only, so that a second run starts at once."""
    code = (
        f"import sys; sys.path.insert(0, {str(ROOT)!r}); import infra.setup.steps;"
        "print(sorted({name.partition('.')[0] for name in sys.modules}"
        " - set(sys.stdlib_module_names)))"
    )
    run = subprocess.run(
        [sys.executable, "-S", "-c", code], capture_output=True, text=True, check=True
    )
    assert run.stdout == "['__main__', 'infra']\n"
