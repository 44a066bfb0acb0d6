"""The locks: every package by hash, and no place it came from."""

import re

import pytest

from tests.conftest import ROOT

_LOCKS = sorted((ROOT / "requirements").glob("*.txt"))


def _pins(name: str) -> dict[str, set[str]]:
    pins: dict[str, set[str]] = {}
    text = (ROOT / "requirements" / f"{name}.txt").read_text()
    for package, version in re.findall(r"^([a-z0-9.-]+)(?:\[[^]]+\])?==([^\s;]+)", text, re.M):
        pins.setdefault(package, set()).add(version)
    return pins


@pytest.mark.parametrize("name", [path.stem for path in _LOCKS])
def test_every_package_has_hashes(name: str) -> None:
    """Each requirement is pinned with at least one hash, and names no address."""
    text = (ROOT / "requirements" / f"{name}.txt").read_text()
    requirements = re.split(r"\n(?=\S)", text.strip())
    assert all("==" in each and "--hash=sha256:" in each for each in requirements)
    assert "://" not in text
    assert "--index" not in text


def test_sets_agree() -> None:
    """What a smaller set has, a larger one has at the same version."""
    sets = [_pins(name).items() for name in ("runtime", "demo", "up", "dev")]
    assert sets[0] <= sets[1] <= sets[2] <= sets[3]


def test_scores_are_compared_with_the_same_onnxruntime() -> None:
    """Triton and the oracle of the demo run the same onnxruntime."""
    assert _pins("triton")["onnxruntime"] == _pins("demo")["onnxruntime"]


@pytest.mark.parametrize("name", [path.stem for path in _LOCKS])
def test_every_choice_has_its_reason(name: str) -> None:
    """A bound or pin in an input has the reason beside it."""
    lines = (ROOT / "requirements" / f"{name}.in").read_text().splitlines()
    bound = [line for line in lines if re.match(r"^[a-z].*(==|<)", line)]
    assert [line for line in bound if "#" not in line] == []
