"""Read the marked blocks of the README and other pages."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

README = Path(__file__).parents[2] / "README.md"
_BLOCK = re.compile(
    r"^<!-- (?P<mark>[^>]+) -->\n```\w*\n(?P<text>.*?)^```$", re.MULTILINE | re.DOTALL
)
_VARYING = (
    # Durations, rates and shares; other numbers are what was asked for.
    (re.compile(r"\d[\d,]*(\.\d+)?(?= (s|rows/s|%)( |,|;|$))", re.MULTILINE), "N"),
    (re.compile(r"(127\.0\.0\.1):\d+"), r"\1:N"),
    (re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d"), "N"),
    # How many rows were looked at when the first one ended the job depends on the machine.
    (re.compile(r"at least \d+ rows cannot be scored \(\d+ ×"), "at least N rows (N ×"),
    # The last digits of a trained model depend on the processor.
    (re.compile(r"^( *the model +MAE +)\S+( +RMSE +)\S+", re.MULTILINE), r"\1N\2N"),
    # Which stage bounds a job, and whether it takes the second from which that is told, depends
    # on the machine.
    (re.compile(r"^ *bounded by .*", re.MULTILINE), ""),
)
_PROGRESS = ("starting", "resolving", "planning", "scoring:", "publishing", "writing")


@dataclass(frozen=True, slots=True)
class Block:
    """A fenced block with a comment in front that says what to do with it."""

    mark: str
    """`run`, `run: FILE`, `run, fails`, `printed`…"""
    text: str
    """What stands between the fences."""

    @property
    def needs_up(self) -> bool:
        """Whether it is for a shell beside `nightshift up`."""
        return " with up" in self.mark


def blocks(page: Path = README) -> Iterator[Block]:
    """Return the marked blocks in order."""
    for found in _BLOCK.finditer(page.read_text()):
        yield Block(found["mark"], found["text"])


def shape(text: str, *, folder: Path) -> list[str]:
    """Return the lines of a printed text without what differs from run to run.

    Times, rates and shares become `N`, runs of spaces one, `folder` becomes `…`; lines of progress
    are left out.
    """
    text = text.replace(f"{folder}/", "…/")
    for pattern, instead in _VARYING:
        text = pattern.sub(instead, text)
    lines = [re.sub(r"[ ─]+", " ", line).strip() for line in text.splitlines()]
    return [line for line in lines if line and not line.startswith(_PROGRESS)]
