"""Run the cases in alternation, each in its own process; print the table, keep the figures.

`make bench`, or `python -m benchmarks.run [REPEATS]`. Ratios within one run mean something; the
figures of two machines, or of two days, do not.
"""

import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

from benchmarks import wide
from cli.registration import Notes, register_served
from cli.servers import local_prefect
from cli.settings import LocalSettings
from cli.stack.triton import LocalTriton
from inference.settings import InferenceSettings
from registry.catalog import Catalog
from registry.settings import RegistrySettings
from registry.store import open_store

HERE = Path(__file__).parent
LOOP_ROWS = (4_096, 16_384, 65_536)
"""Rows per request tried for the loop: its best is what we are compared with."""
_CASE_LIMIT_S = 300.0
_LOOP = "plain loop"
_OURS = "Nightshift"


@dataclass(frozen=True, slots=True)
class Case:
    """A program that scores the dataset once, into the folder named last."""

    name: str
    """As it stands in the table."""
    module: str
    """What is run."""
    python: Path
    """By which interpreter: peers have an environment of their own."""
    arguments: tuple[str, ...]
    """Dataset first; `{output}` stands for an empty folder's name."""


@dataclass(frozen=True, slots=True)
class Result:
    """One case over all repeats."""

    case: str
    """Its name."""
    rows_per_s: float
    """Median over the repeats."""
    slowest: float
    """Rows per second of the slowest repeat."""
    fastest: float
    """Rows per second of the fastest repeat."""
    runs: tuple[Mapping[str, Any], ...]
    """What each repeat printed."""


def main(repeats: int) -> None:
    """Measure, print, keep."""
    local = LocalSettings()
    print(f"dataset: {wide.ROWS:,} rows of {wide.WIDTH} float32", flush=True)
    dataset = wide.prepare(local.data_dir.absolute() / "bench")
    with tempfile.TemporaryDirectory() as state, _servers(local, Path(state)) as servers:
        triton, environment = servers
        results = _measure(_cases(dataset, triton), repeats, environment)
    _show(results)
    _keep(results, repeats)


def _cases(dataset: Path, triton: LocalTriton) -> list[Case]:
    folder = str(dataset)
    peers = HERE.parent / ".nightshift" / "bench-env" / "bin" / "python"
    return [
        *(
            Case(
                f"{_LOOP}, {rows:,} rows a request",
                "benchmarks.cases.plain_loop",
                peers,
                (folder, "{output}", triton.http_url, str(rows)),
            )
            for rows in LOOP_ROWS
        ),
        Case(
            _OURS,
            "benchmarks.cases.nightshift_job",
            Path(sys.executable),
            (folder, "{output}", f"{wide.MODEL}@bench"),
        ),
    ]


@contextmanager
def _servers(local: LocalSettings, state: Path) -> Iterator[tuple[LocalTriton, dict[str, str]]]:
    """Run Triton and Prefect, register the model; give what a case needs in its environment."""
    triton = LocalTriton(
        HERE / "models", local.triton_env_dir, models=[wide.MODEL], state_dir=local.servers_dir
    )
    with triton, local_prefect(local) as prefect:
        registry = f"sqlite:///{state / 'registry.db'}"
        store = open_store(RegistrySettings(database_url=registry))
        catalog = Catalog(store)
        registered = register_served(
            catalog,
            wide.MODEL,
            model=wide.MODEL,
            version="1",
            urls=[triton.grpc_url],
            notes=Notes({}, "64 features, one linear layer", "the benchmark"),
            settings=InferenceSettings(),
        )
        catalog.set_alias(wide.MODEL, "bench", registered.version)
        store.close()
        yield (
            triton,
            {
                **os.environ,
                **prefect.client_environment(),
                "PREFECT_LOGGING_HANDLERS_CONSOLE_LEVEL": "CRITICAL",
                "NIGHTSHIFT_TRITON_URLS": triton.grpc_url,
                "NIGHTSHIFT_DATABASE_URL": registry,
            },
        )


def _measure(cases: Sequence[Case], repeats: int, environment: Mapping[str, str]) -> list[Result]:
    runs: dict[str, list[Mapping[str, Any]]] = {case.name: [] for case in cases}
    for repeat in range(1, repeats + 1):
        for case in cases:
            told = _run(case, environment)
            if told["rows"] != wide.ROWS:
                sys.exit(f"{case.name} scored {told['rows']:,} rows, not {wide.ROWS:,}")
            runs[case.name].append(told)
            print(
                f"repeat {repeat}/{repeats}  {case.name:34} {_rate(told):12,.0f} rows/s", flush=True
            )
    return [_result(name, told) for name, told in runs.items()]


def _run(case: Case, environment: Mapping[str, str]) -> Mapping[str, Any]:
    with tempfile.TemporaryDirectory(dir=Path(case.arguments[0]).parent) as folder:
        arguments = [part.format(output=f"{folder}/out") for part in case.arguments]
        ended = subprocess.run(
            [case.python, "-m", case.module, *arguments],
            env=dict(environment),
            cwd=HERE.parent,
            stdout=subprocess.PIPE,
            text=True,
            timeout=_CASE_LIMIT_S,
            check=True,
        )
    told: Mapping[str, Any] = json.loads(ended.stdout.splitlines()[-1])
    return told


def _rate(told: Mapping[str, Any]) -> float:
    return float(told["rows"] / told["seconds"])


def _result(case: str, runs: Sequence[Mapping[str, Any]]) -> Result:
    rates = [_rate(told) for told in runs]
    return Result(case, statistics.median(rates), min(rates), max(rates), tuple(runs))


def _show(results: Sequence[Result]) -> None:
    best = _best_loop(results)
    print("\n| case | rows/s, median | slowest to fastest | × the loop |\n|---|---:|---:|---:|")
    for result in results:
        print(
            f"| {result.case} | {result.rows_per_s:,.0f} | {result.slowest:,.0f} to "
            f"{result.fastest:,.0f} | {result.rows_per_s / best.rows_per_s:.2f} |"
        )


def _best_loop(results: Sequence[Result]) -> Result:
    loops = [result for result in results if result.case.startswith(_LOOP)]
    return max(loops, key=lambda result: result.rows_per_s)


def _keep(results: Sequence[Result], repeats: int) -> None:
    programs = ("pyarrow", "tritonclient", "prefect", "numpy")
    ours = next(result for result in results if result.case == _OURS)
    found = {
        "workload": wide.MODEL,
        "rows": wide.ROWS,
        "measured_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "command": f"python -m benchmarks.run {repeats}",
        "machine": {"cores": os.cpu_count(), "processor": platform.machine()},
        "versions": {"python": platform.python_version()}
        | {program: version(program) for program in programs},
        "ratio_to_best_loop": round(ours.rows_per_s / _best_loop(results).rows_per_s, 2),
        "results": [asdict(result) for result in results],
    }
    path = HERE / "results" / f"{wide.MODEL}.json"
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps(found, indent=1) + "\n")
    print(f"\n{ours.rows_per_s / _best_loop(results).rows_per_s:.2f} × the loop; kept in {path}")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 5)
