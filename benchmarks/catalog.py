"""List the cases: ours, the peers, the ceilings."""

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import product
from typing import Literal

Knobs = Mapping[str, int]

OURS = "nightshift"
READ = "read"
TRITON = "triton"


@dataclass(frozen=True, slots=True)
class Case:
    """A program that scores a workload once, or measures what bounds any program."""

    name: str
    """As `make bench CASES=` takes it."""
    title: str
    """As it stands in the table."""
    module: str
    """What is run."""
    kind: Literal["ours", "peer", "ceiling"]
    """Peers run in their own environment."""
    in_peers_environment: bool
    """By which interpreter."""
    grid: tuple[Knobs, ...] = field(default=({},), hash=False)
    """Settings among which `make bench TUNE=1` chooses; the first is used until then."""
    needs_java: bool = False
    """Whether it is left out where there is no Java."""

    @property
    def scores(self) -> bool:
        """Whether it writes scores that can be checked."""
        return self.kind != "ceiling"


def cases(cores: int | None = None) -> dict[str, Case]:
    """Describe each case by its name, in the order in which a repeat runs them."""
    cores = cores or os.cpu_count() or 1
    rows = (4_096, 16_384, 65_536)
    transports = (0, 1)  # HTTP, gRPC
    package = "benchmarks.cases"
    described = [
        Case(
            READ,
            "reading and decoding",
            f"{package}.read_ceiling",
            "ceiling",
            False,
            tuple(
                {"batch_rows": n, "mimalloc": mimalloc, "memory_map": mapped}
                for n, mimalloc, mapped in product((1_000_000, 8_192), (1, 0), (0, 1))
            ),
        ),
        Case(
            "loop",
            "plain loop",
            f"{package}.plain_loop",
            "peer",
            True,
            tuple({"batch_rows": n, "grpc": grpc} for grpc, n in product(transports, rows)),
        ),
        Case(
            "daft",
            "Daft",
            f"{package}.daft_udf",
            "peer",
            True,
            tuple(
                {"batch_rows": n, "processes": processes, "grpc": grpc}
                for grpc, n, processes in product(transports, rows, (0, cores))
            ),
        ),
        Case(OURS, "Nightshift", f"{package}.nightshift_job", "ours", False),
        Case(
            "ray",
            "Ray Data",
            f"{package}.ray_data",
            "peer",
            True,
            tuple(
                {"batch_rows": n, "actors": actors, "cpu_percent": 25, "grpc": grpc}
                for grpc, n, actors in product(transports, rows[1:], (cores, 2 * cores))
            ),
        ),
        Case(
            "spark",
            "Spark",
            f"{package}.spark_udf",
            "peer",
            True,
            tuple(
                {"batch_rows": n, "arrow_rows": n, "threads": cores, "grpc": grpc}
                for grpc, n in product(transports, rows)
            ),
            needs_java=True,
        ),
        Case("write", "encoding and writing", f"{package}.write_ceiling", "ceiling", False),
        Case(TRITON, "Triton from memory", f"{package}.triton_ceiling", "ceiling", True),
    ]
    return {case.name: case for case in described}
