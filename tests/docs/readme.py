"""Read the README's marked blocks."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

README = Path(__file__).parents[2] / "README.md"
_BLOCK = re.compile(
    r"^<!-- (?P<mark>[^>]+) -->\n```\w*\n(?P<text>.*?)^```$", re.MULTILINE | re.DOTALL
)
_NUMBER = re.compile(r"\d[\d,]*(\.\d+)?")


@dataclass(frozen=True, slots=True)
class Block:
    """A fenced block with a comment in front that says what to do with it."""

    mark: str
    """`run`, `run: FILE`, `run, fails`, `printed`…"""
    text: str
    """What stands between the fences."""


def blocks() -> Iterator[Block]:
    """Return the marked blocks in order."""
    for found in _BLOCK.finditer(README.read_text()):
        yield Block(found["mark"], found["text"])


def shape(text: str, *, folder: Path) -> list[str]:
    """Return the lines of a printed text without what differs from run to run.

    Numbers become `N`, runs of spaces one, `folder` becomes `…`; lines of progress are left out.
    Which stage bounds a job depends on the machine.
    """
    shaped = []
    for line in text.replace(f"{folder}/", "…/").splitlines():
        if line.startswith(("resolving", "planning", "scoring:", "publishing", "writing")):
            continue
        spaced = re.sub(r"[ ─]+", " ", _NUMBER.sub("N", line)).strip()
        spaced = re.sub(r"^(bounded by) .*", r"\1 …", spaced)
        if spaced:
            shaped.append(spaced)
    return shaped
