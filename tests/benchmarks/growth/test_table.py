"""What grows with a job, in a table."""

from benchmarks.growth.measures import Grown, OneGroup, Planning, Size, Verifying
from benchmarks.growth.table import table

SIZES = (Size(2_000_000, 2.0, 500_000_000), Size(20_000_000, 18.0, 510_000_000))


def test_what_was_asked_for_stands_beside_what_was_measured() -> None:
    """Growth in percent, seconds as they are, each with whether it was reached."""
    grown = Grown(
        SIZES,
        Planning(10_000, 5.0, 40.0),
        Verifying(1_000, 30.0, 30.0),
        OneGroup(8_000_000, 1_900_000_000, 9.0, 700_000_000, None),
    )
    lines = table(grown)
    assert lines[2:4] == [
        "| 2,000,000 | 2.00 | 1.000 | 500 |",
        "| 20,000,000 | 18.00 | 0.900 | 510 |",
    ]
    assert [line.split(" | ")[1:] for line in lines[7:]] == [
        ["+2.0%", "reached |"],
        ["510 MB", "reached |"],
        ["-10.0%", "**missed** |"],
        ["+0.0%, +0.0%", "reached |"],
        ["0.889", "|"],
        ["5.0 s", "reached |"],
        ["40.0 s", "reached |"],
        ["30.0 s", "**missed** |"],
        ["scored in 9.0 s with 700 MB; no bound is projected", "**missed** |"],
    ]


def test_a_refusal_is_told() -> None:
    """With its reason."""
    one = OneGroup(8_000_000, 1_900_000_000, None, None, "too large")
    lines = table(Grown(SIZES, Planning(1, 1.0, 1.0), Verifying(1, 1.0, 1.0), one))
    assert lines[-1].endswith(" | refused: too large | reached |")
