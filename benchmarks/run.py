"""Compare scoring with its peers: `make bench`, or `python -m benchmarks.run --help`.

Ratios within one run mean something; the figures of two machines, or of two days, do not.
"""

import argparse
import json
import os
import signal
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path

from benchmarks import machine, profiling, transport, tuning
from benchmarks.catalog import Case, cases
from benchmarks.checking import WrongScores
from benchmarks.datasets import prepare
from benchmarks.experiment import Experiment, Outcome, describe_knobs
from benchmarks.growth.measures import SMALL, Growth, Scale
from benchmarks.growth.table import table
from benchmarks.measuring import CaseFailed
from benchmarks.results import replace_file
from benchmarks.running import Runner
from benchmarks.servers import Platform, platform, serving
from benchmarks.summary import Summary, summarize
from benchmarks.table import comparison, replace_part, sentence
from benchmarks.verdict import Verdict, verdict
from benchmarks.workloads.catalog import workloads
from benchmarks.workloads.workload import Workload
from cli.settings import LocalSettings
from cli.stack.errors import StackError

_HERE = Path(__file__).parent
_GROWTH = "growth"
_TRANSPORT = "transport"
_EXTRA = (_TRANSPORT, _GROWTH)
"""What is no workload, but asked for like one."""


class Bench:
    """What one command was asked for."""

    def __init__(self, asked: argparse.Namespace) -> None:
        self._asked = asked
        self._local = LocalSettings()
        self._folder = self._local.data_dir.absolute() / "bench"
        self._folder.mkdir(parents=True, exist_ok=True)
        self._peers_python = _peers_python(self._local)
        self._skipped = _skipped()
        self._tuning = tuning.read(cores=os.cpu_count() or 1)

    def main(self) -> None:
        """Measure what was asked for, workload after workload."""
        described = workloads(self._folder)
        chosen = self._asked.workload or [
            *described,
            *(() if self._asked.tune or self._asked.profile else _EXTRA),
        ]
        if self._tuning.cores != os.cpu_count() and not self._asked.tune:
            _say(
                f"the peers were tuned on {self._tuning.cores} cores, this machine has "
                f"{os.cpu_count()}: run `make bench TUNE=1` first to be fair to them"
            )
        with platform(self._local) as shared:
            for name in chosen:
                if name == _GROWTH:
                    self._grow(described["wide"], shared)
                elif name == _TRANSPORT:
                    self._transport(described["wide"], shared)
                else:
                    self._measure(described[name], shared)

    def _grow(self, wide: Workload, shared: Platform) -> None:
        """Measure what grows with a job, on *wide*."""
        rows = self._asked.rows or wide.rows
        dataset = prepare(wide, self._folder, rows=rows)
        _say(f"growth: {wide.name} several times over, many files, one large row group")
        with serving(wide, wide.model(), shared, self._local) as triton:
            runner = Runner(wide, triton, shared, self._peers_python, self._folder / "logs")
            growth = Growth(runner, dataset, rows, say=_say)
            scale = SMALL if self._asked.rows else Scale()
            grown = growth.measure(scale, repeats=self._asked.repeats)
        lines = table(grown)
        _say("\n".join(["", *lines, ""]))
        self._keep(_GROWTH, self._about(_GROWTH, rows) | asdict(grown), lines)

    def _transport(self, wide: Workload, shared: Platform) -> None:
        """Measure the ways to a server with *wide*'s model, from memory."""
        _say(f"transport: the same rows of {wide.name} over and over, from memory")
        with serving(wide, wide.model(), shared, self._local) as triton:
            runner = Runner(wide, triton, shared, self._peers_python, self._folder / "logs")
            ways = transport.measure(runner, repeats=self._asked.repeats, say=_say)
        lines = transport.table(ways)
        _say("\n".join(["", *lines, ""]))
        about = self._about(_TRANSPORT, 0)
        self._keep(_TRANSPORT, about | {"ways": [asdict(way) for way in ways]}, lines)

    def _measure(self, workload: Workload, shared: Platform) -> None:
        rows = self._asked.rows or workload.rows
        _say(f"{workload.name}: {rows:,} rows of {workload.about}")
        dataset = prepare(workload, self._folder, rows=rows)
        with serving(workload, workload.model(), shared, self._local) as triton:
            runner = Runner(workload, triton, shared, self._peers_python, self._folder / "logs")
            experiment = Experiment(runner, dataset, rows, say=_say)
            if self._asked.profile:
                lines = profiling.table(profiling.profile(runner, dataset))
                _say("\n".join(["", *lines, ""]))
                self._keep_page(f"{workload.name} profile", lines)
            elif self._asked.tune:
                self._tune(workload, experiment)
            else:
                knobs = {case: self._tuning.best(workload.name, case) for case in self._chosen()}
                self._report(experiment.compare(self._chosen(), knobs, self._asked.repeats))

    def _chosen(self) -> list[Case]:
        known = cases()
        names = self._asked.cases or list(known)
        return [case for case in known.values() if case.name in names and case not in self._skipped]

    def _tune(self, workload: Workload, experiment: Experiment) -> None:
        for case in self._chosen():
            if len(case.grid) > 1:
                tried = experiment.tune(case)
                self._tuning = self._tuning.with_tried(workload.name, case.name, tried)
                if not self._asked.rows:
                    tuning.write(self._tuning)
                _say(f"  {case.title}: {describe_knobs(self._tuning.best(workload.name, case))}")

    def _report(self, outcome: Outcome) -> None:
        """Print the table; keep the figures of a whole workload."""
        summaries = {
            case: summarize(runs, rows=outcome.rows) for case, runs in outcome.runs.items()
        }
        lines = comparison(summaries, outcome.knobs, self._skipped)
        found = verdict({case: summary.rows_per_s for case, summary in summaries.items()})
        if found:
            lines += ["", sentence(found, summaries)]
        _say("\n".join(["", *lines, ""]))
        workload = outcome.workload
        about = self._about(workload.name, outcome.rows)
        told = [f"{outcome.rows:,} rows: {workload.about}.", "", *lines]
        self._keep(workload.name, about | _figures(outcome, summaries, found), told)

    def _keep(self, name: str, figures: Mapping[str, object], lines: Sequence[str]) -> None:
        """Keep the figures of a whole workload, and write its table."""
        if self._asked.cases or self._asked.rows:
            _say("a part was measured: nothing is kept")
            return
        replace_file(_HERE / "results" / f"{name}.json", json.dumps(figures, indent=1) + "\n")
        self._keep_page(name, [*lines, "", _where(figures)])

    def _keep_page(self, name: str, lines: Sequence[str]) -> None:
        if self._asked.rows:
            return
        page = _HERE / "README.md"
        replace_file(page, replace_part(page.read_text(), name, lines))
        _say(f"kept in {page}")

    def _about(self, name: str, rows: int) -> dict[str, object]:
        return {
            "workload": name,
            "rows": rows,
            "repeats": self._asked.repeats,
            "measured_at": datetime.now(UTC).isoformat(timespec="seconds"),
            "command": f"make bench WORKLOAD={name} REPEATS={self._asked.repeats}",
            **machine.commit(_HERE),
            "machine": machine.machine(),
            "versions": machine.versions(self._peers_python),
            "skipped": {case.name: why for case, why in self._skipped.items()},
        }


def _figures(
    outcome: Outcome, summaries: Mapping[Case, Summary], found: Verdict | None
) -> dict[str, object]:
    """Return every run of a workload as JSON values."""
    return {
        "verdict": asdict(found) if found else None,
        "cases": {
            case.name: {
                "knobs": outcome.knobs[case],
                **asdict(summary),
                "runs": [asdict(run) for run in outcome.runs[case]],
            }
            for case, summary in summaries.items()
        },
    }


def _where(about: Mapping[str, object]) -> str:
    """Say on what, with what and how it was measured."""
    found, versions = about["machine"], about["versions"]
    assert isinstance(found, dict)
    assert isinstance(versions, dict)
    told = [
        f"{side}: {', '.join(f'{name} {number}' for name, number in programs.items())}"
        for side, programs in versions.items()
    ]
    commit = f" of {about['commit']}" if "commit" in about else ""
    return (
        f"{found['cores']} cores of {found['processor']}, {found['memory_gb']} GB, "
        f"{found['system']}; {'; '.join(told)}; `{about['command']}`{commit}, "
        f"{about['measured_at']}."
    )


def _peers_python(local: LocalSettings) -> Path:
    return local.data_dir.absolute() / "bench-env" / "bin" / "python"


def _skipped() -> dict[Case, str]:
    """Return the cases that cannot run on this machine, each with the reason."""
    java = machine.java_version()
    if java is not None and java >= machine.JAVA:
        return {}
    why = "there is no Java" if java is None else f"Java is {java}, it needs {machine.JAVA}"
    left_out = {case: f"left out: {why}" for case in cases().values() if case.needs_java}
    for case, reason in left_out.items():
        _say(f"{case.title} is {reason}")
    return left_out


def _say(words: str) -> None:
    print(words, flush=True)


def _parse(arguments: Sequence[str]) -> argparse.Namespace:
    def names(known: Sequence[str]) -> Callable[[str], list[str]]:
        def split(text: str) -> list[str]:
            found = [part for part in text.replace(",", " ").split() if part]
            for part in found:
                if part not in known:
                    raise argparse.ArgumentTypeError(f"{part!r} is none of {', '.join(known)}")
            return found

        return split

    parser = argparse.ArgumentParser(prog="python -m benchmarks.run", description=__doc__)
    parser.add_argument(
        "--workload", type=names([*workloads(Path()), *_EXTRA]), help="by commas; all by default"
    )
    parser.add_argument("--cases", type=names(list(cases())), help="by commas; all by default")
    parser.add_argument("--repeats", type=int, default=5, help="of every case, in alternation")
    parser.add_argument("--rows", type=int, help="of each dataset; nothing is kept then")
    parser.add_argument("--tune", action="store_true", help="try the peers' settings, keep them")
    parser.add_argument("--profile", action="store_true", help="say where our own time goes")
    return parser.parse_args(arguments)


def main(arguments: Sequence[str]) -> int:
    """Do what was asked for; return the exit status."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # ends servers and cases as Ctrl-C
    try:
        Bench(_parse(arguments)).main()
    except (CaseFailed, StackError, WrongScores) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print(
            "error: interrupted: servers are stopped, nothing of this workload is kept",
            file=sys.stderr,
        )
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
