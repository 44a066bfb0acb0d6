"""Score real flights with a real Triton, from nothing to a published output."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import Console

    from cli.settings import LocalSettings
    from examples.flights.dataset import Dataset
    from examples.flights.train import Trained

# Commands import what they use when they run, so that help shows at once.

MODEL = "flights"
ALIAS = "champion"
MAX_QUARANTINED = 0.05
"""2.5 % of the flights were cancelled before they left, so their delay at departure is null."""

_NEXT = '''
Look at it:
  open {scores}/_report.html
  .venv/bin/python -c "import pyarrow.parquet as pq; print(pq.read_table('{scores}')[:5])"'''


class DemoFailed(Exception):
    """The demo's data is not there, or its scores are not what they must be."""


def demo() -> None:
    """Score 336,776 real flights, from the dataset to the report.

    Everything lies below .nightshift/. Run again, it verifies what is there and scores nothing.
    """
    from rich.console import Console

    from cli.settings import LocalSettings

    _demo(Console(), LocalSettings())


def _demo(console: "Console", local: "LocalSettings") -> None:
    from cli import report_view
    from cli.interrupts import finishing
    from cli.running import run_job, started
    from inference.jobs import BatchJob

    lake = local.data_dir / "lake"
    with ThreadPoolExecutor(1) as thread, finishing() as begin:
        # Servers take seconds to start, most of them waiting: the model is trained meanwhile.
        making = thread.submit(prepared, console, lake / "flights", local)
        with started(console, local, models=[]) as urls:
            _, trained = making.result()
            _register(trained, urls, local)
            job = BatchJob(
                model=f"{MODEL}@{ALIAS}",
                input=str(lake / "flights"),
                output=str(lake / "scores"),
                keep="all",
                max_quarantined_fraction=MAX_QUARANTINED,
                replace=True,
            )
            report, elapsed_s = run_job(job, console, at_publication=begin)
            report_view.show(report, console, elapsed_s=elapsed_s)
    _say(console, _checked(lake / "scores", trained, rows=report.rows_ok))
    _say(console, _NEXT.format(scores=lake / "scores"))


def prepared(
    console: "Console", dataset: Path, local: "LocalSettings"
) -> "tuple[Dataset, Trained]":
    """Write the dataset, train the model; both are kept for the next time."""
    from examples.flights.dataset import MaterialMissing, prepare
    from examples.flights.train import describe, train

    try:
        made = prepare(dataset)
    except MaterialMissing as error:
        raise DemoFailed(str(error)) from error
    _say(console, f"dataset: {made.rows:,} flights in {made.files} months, {made.root}")
    trained = train(dataset, local.data_dir / "training" / "flights")
    _say(console, f"model: {describe(trained)}")
    return made, trained


def _say(console: "Console", words: str) -> None:
    console.print(words, highlight=False, markup=False, soft_wrap=True)


def _register(trained: "Trained", urls: tuple[str, ...], local: "LocalSettings") -> None:
    from cli.catalog import opened_catalog
    from cli.registration import Notes, lay_out_file, register_file
    from examples.flights.train import FEATURES
    from inference.settings import InferenceSettings

    with opened_catalog() as catalog:
        version = register_file(
            catalog,
            lay_out_file(MODEL, trained.onnx, local),
            urls=urls,
            notes=Notes({"features": FEATURES}, "arrival delay, in minutes", "the demo"),
            settings=InferenceSettings(),
        )
        catalog.set_alias(MODEL, ALIAS, version.version, by="the demo")


def _checked(scores: Path, trained: "Trained", *, rows: int) -> str:
    """Score the same rows with onnxruntime in this process; say whether each equals Triton's.

    Raises `DemoFailed`, also where not `rows` of them are there.
    """
    import numpy as np
    import pyarrow.dataset as ds

    from examples.flights.train import FEATURES, OUTPUT, score

    table = ds.dataset(scores, format="parquet").to_table(columns=[*FEATURES, OUTPUT])
    if not 0 < table.num_rows == rows:
        raise DemoFailed(
            f"{scores} holds {table.num_rows:,} scores, not {rows:,}: remove the folder, run the "
            "demo again, and report it if that does not help"
        )
    columns = [table[name].to_numpy().astype(np.float32) for name in FEATURES]
    expected = score(trained.onnx.read_bytes(), np.stack(columns, axis=1))[:, 0]
    different = int(np.count_nonzero(expected != table[OUTPUT].to_numpy()))
    if different:
        raise DemoFailed(
            f"{different:,} of {table.num_rows:,} scores in {scores} are not onnxruntime's: "
            "remove the folder, run the demo again, and report it if that does not help"
        )
    return f"  {'check':12} each of {table.num_rows:,} scores equals onnxruntime's on the same row"
