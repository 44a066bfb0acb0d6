"""Let chance be replayed: one seed for every test of chaos, told wherever one fails.

`make test` runs a sample of each test, `make chaos SEED=7 SCALE=0.1` a tenth of the long forms.
"""

import os
import random
from collections.abc import Generator
from dataclasses import dataclass

import pytest

SEED = "CHAOS_SEED"
"""Environment variable with the seed; a new one each time unless it is set."""
SCALE = "CHAOS_SCALE"
"""Environment variable with the share of the long forms to run; without it the samples run."""

_PROPERTY = "chaos"


@dataclass(frozen=True, slots=True)
class Chaos:
    """Chance as one test sees it."""

    seed: int
    """The run's seed."""
    scale: float | None
    """Share of the long forms; None for samples."""
    node: pytest.Item
    """The test."""

    def count(self, long: int, *, sample: int) -> int:
        """Say how often to do what the long form does `long` times; at least once."""
        return sample if self.scale is None else max(1, round(long * self.scale))

    def random(self, *numbers: int) -> random.Random:
        """Return the test's own chance: the same for the same seed, whatever else is run.

        `numbers` name a step of the test, which draws the same however much the steps before it
        drew: that may depend on the machine.
        """
        return random.Random(":".join(map(str, (self.seed, self.node.name, *numbers))))

    def tell(self, figures: str) -> None:
        """Have the summary of the long form print what was seen."""
        self.node.user_properties.append((_PROPERTY, figures))


@pytest.fixture
def chaos(request: pytest.FixtureRequest) -> Chaos:
    """Chance that can be replayed, and how much of it is asked for."""
    scale = os.environ.get(SCALE)
    return Chaos(int(os.environ[SEED]), float(scale) if scale else None, request.node)


def pytest_configure() -> None:
    """Choose the seed before workers are started: they inherit it."""
    if not os.environ.get(SEED):
        os.environ[SEED] = str(random.SystemRandom().randrange(2**32))


def pytest_report_header() -> str:
    """Tell the seed at the top."""
    scale = os.environ.get(SCALE)
    return f"chaos: {SEED}={os.environ[SEED]}, " + (
        f"{scale} of long forms" if scale else "samples"
    )


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    """Leave a long form without a sample out before its servers are started."""
    mark = item.get_closest_marker("long_form")
    if mark is not None and not os.environ.get(SCALE):
        pytest.skip(f"in `make chaos`: {mark.args[0]}")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item,
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Tell with each failure how to cause it again."""
    report = yield
    if report.failed and item.get_closest_marker("chaos"):
        seed, scale = os.environ[SEED], os.environ.get(SCALE)
        again = f"make chaos SEED={seed} SCALE={scale}" if scale else f"{SEED}={seed} make test"
        report.sections.append(("chaos", f"{again} PYTEST_ARGS='{item.nodeid}'"))
    return report


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print what the long forms saw."""
    if not os.environ.get(SCALE):
        return
    terminalreporter.section(f"chaos, {SEED}={os.environ[SEED]}")
    for reports in terminalreporter.stats.values():
        for report in reports:
            for name, figures in getattr(report, "user_properties", ()):
                if name == _PROPERTY and report.when == "call":
                    terminalreporter.line(f"{report.nodeid}: {figures}")
