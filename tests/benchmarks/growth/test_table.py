"""What grows with a job, in a table."""

from benchmarks.growth.measures import Grown, OneGroup, Planning, Size, Verifying
from benchmarks.growth.table import table

SIZES = (Size(2_000_000, 2.0, 500_000_000), Size(20_000_000, 19.0, 510_000_000))


def test_what_was_asked_for_stands_beside_what_was_measured() -> None:
    """Growth in percent, seconds as they are, the cost of each row more."""
    grown = Grown(
        SIZES,
        Planning(10_000, 5.0, 40.0),
        Verifying(1_000, 30.0, 3.0),
        OneGroup(8_000_000, 1_900_000_000, 9.0, 700_000_000, None),
    )
    lines = table(grown)
    assert lines[2:4] == [
        "| 2,000,000 | 2.00 | 1.000 | 500 |",
        "| 20,000,000 | 19.00 | 0.950 | 510 |",
    ]
    assert [line.rpartition(" | ")[2].rstrip(" |") for line in lines[7:]] == [
        "+2.0%",
        "510 MB",
        "-5.0%",
        "0.944",
        "5.0 s",
        "40.0 s",
        "3.0 s",
        "scored in 9.0 s with 700 MB",
    ]


def test_a_refusal_is_told() -> None:
    """With its reason."""
    one = OneGroup(8_000_000, 1_900_000_000, None, None, "too large")
    lines = table(Grown(SIZES, Planning(1, 1.0, 1.0), Verifying(1, 1.0, 1.0), one))
    assert lines[-1] == "| one row group of 1.9 GB | refused: too large |"
