"""Train the model that says, as a flight leaves, how late it will arrive."""

import hashlib
import json
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from examples.flights.dataset import DATASET, replace_file

MODEL_DIR = Path(".nightshift/training/flights")
"""Where the trained model lies when nothing else is said, below the working folder."""

FEATURES = (
    "dep_delay",
    "distance",
    "sched_dep_time",
    "sched_minutes",
    "weekday",
    "flight",
)
"""Columns that feed the input `features`, in order: all of them known when the flight leaves."""

OUTPUT = "predicted_arr_delay"
"""The model's output: minutes late at arrival, negative when early."""

TRAINED_MONTHS = range(1, 10)
TESTED_MONTHS = range(10, 13)

_TREES = 100
_SEED = 0
TOLERANCE_MIN = 0.01
"""Largest difference allowed between the exported and the trained model, in minutes."""

_CARD = "card.json"
_MODEL = "model.onnx"


class NotFaithful(Exception):
    """The exported model does not say what the trained one says."""


@dataclass(frozen=True, slots=True)
class Error:
    """How far predictions are from what happened, in minutes."""

    mae_min: float
    """Mean absolute error."""
    rmse_min: float
    """Root of the mean squared error, which weighs the far misses."""


@dataclass(frozen=True, slots=True)
class Report:
    """How good the model is on the months that it was not trained on."""

    trained_rows: int
    """Flights of months 1 to 9 that arrived."""
    tested_rows: int
    """Flights of months 10 to 12 that arrived."""
    model: Error
    """The exported model."""
    late_as_left: Error
    """The naive guess that a flight arrives as late as it left."""
    late_as_left_less_mean_gain: Error
    """The same less the minutes that the flights of months 1 to 9 made up on average."""
    mean: Error
    """The guess that every flight is as late as the mean of months 1 to 9."""
    export_difference_min: float
    """Largest difference between the exported and the trained model on the tested rows."""
    seconds: float
    """What reading, training, exporting and testing took when it was done."""


@dataclass(frozen=True, slots=True)
class Trained:
    """The trained model on disk."""

    onnx: Path
    """Takes `features` FP32[-1, 6], gives `predicted_arr_delay` FP32[-1, 1]."""
    report: Report
    """How good it is."""
    cached: bool
    """Whether it was there already, made from the same flights by the same script."""


def train(
    dataset: Path = DATASET, folder: Path = MODEL_DIR, *, tolerance_min: float = TOLERANCE_MIN
) -> Trained:
    """Make `folder` hold the model trained on `dataset`; one that is right already is kept.

    Raises `NotFaithful` when the export changes what the model says.
    """
    key = _key(dataset)
    report = _read_card(folder, key)
    if report is not None:
        return Trained(folder / _MODEL, report, cached=True)
    start = time.perf_counter()
    features, late = _flights(dataset, TRAINED_MONTHS)
    gain = late - features[:, 0]
    model = _fit(features, gain)
    onnx = _export(model)
    tested, happened = _flights(dataset, TESTED_MONTHS)
    predicted = score(onnx, tested)[:, 0].astype(np.float64)
    difference = float(np.abs(predicted - (tested[:, 0] + model.predict(tested))).max())
    if difference > tolerance_min:
        raise NotFaithful(
            f"the exported model is {difference:g} minutes off the trained one, more than "
            f"{tolerance_min:g}: check the versions of scikit-learn and skl2onnx"
        )
    report = Report(
        trained_rows=len(late),
        tested_rows=len(happened),
        model=_error(predicted, happened),
        late_as_left=_error(tested[:, 0], happened),
        late_as_left_less_mean_gain=_error(tested[:, 0] + gain.mean(), happened),
        mean=_error(np.full_like(happened, late.mean()), happened),
        export_difference_min=difference,
        seconds=round(time.perf_counter() - start, 1),
    )
    _keep(folder, key, onnx, report)
    return Trained(folder / _MODEL, report, cached=False)


def score(onnx: bytes, features: np.ndarray) -> np.ndarray:
    """Return what onnxruntime says: `features` FP32[n, 6] gives FP32[n, 1]."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(onnx, options, providers=["CPUExecutionProvider"])
    (result,) = session.run([OUTPUT], {"features": features})
    return np.asarray(result)


def _flights(dataset: Path, months: Sequence[int]) -> tuple[np.ndarray, np.ndarray]:
    """Return features FP32[n, 6] and arrival delays FP64[n] of the flights that arrived."""
    wanted = [*FEATURES, "arr_delay"]
    tables = [
        pq.ParquetFile(file).read(wanted)
        for month in months
        for file in sorted((dataset / f"month={month}").glob("[!._]*.parquet"))
    ]
    table = pa.concat_tables(tables).drop_null()
    columns = [table[name].to_numpy().astype(np.float32) for name in FEATURES]
    return np.stack(columns, axis=1), table["arr_delay"].to_numpy().astype(np.float64)


def _fit(features: np.ndarray, gain: np.ndarray) -> Any:
    """Fit the minutes gained or lost on the way.

    Trees cannot say more than they have seen; adding the delay at departure afterwards lets them
    judge a flight that left later than any before.
    """
    from sklearn.ensemble import HistGradientBoostingRegressor
    from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]  # no stubs

    model = HistGradientBoostingRegressor(max_iter=_TREES, early_stopping=False, random_state=_SEED)
    # OpenMP's threads spin while they wait for each other: on two cores with other work, one
    # thread took 2 s where two took 24 s.
    with threadpool_limits(1):
        return model.fit(features, gain)


def _export(model: Any) -> bytes:
    from examples.flights.export import export

    added = FEATURES.index("dep_delay")
    return export(model, features=len(FEATURES), added=added, output=OUTPUT)


def _error(predicted: np.ndarray, happened: np.ndarray) -> Error:
    off = predicted - happened
    return Error(
        mae_min=round(float(np.abs(off).mean()), 2),
        rmse_min=round(float(np.sqrt(np.square(off).mean())), 2),
    )


def _key(dataset: Path) -> str:
    """Return the sha256 of all that determines the model: flights, scripts and libraries."""
    digest = hashlib.sha256()
    for file in sorted(dataset.glob("month=*/[!._]*.parquet")):
        digest.update(f"{file.relative_to(dataset)} ".encode())
        digest.update(hashlib.sha256(file.read_bytes()).digest())
    for script in (Path(__file__), Path(__file__).with_name("export.py")):
        digest.update(hashlib.sha256(script.read_bytes()).digest())
    for library in ("scikit-learn", "skl2onnx", "onnx", "onnxruntime", "numpy"):
        digest.update(f"{library} {version(library)} ".encode())
    return digest.hexdigest()


def _keep(folder: Path, key: str, onnx: bytes, report: Report) -> None:
    card = {"key": key, "onnx_sha256": hashlib.sha256(onnx).hexdigest(), "report": asdict(report)}
    replace_file(folder / _MODEL, onnx)
    replace_file(folder / _CARD, json.dumps(card, indent=2).encode())


def _read_card(folder: Path, key: str) -> Report | None:
    """Return the report of a model made from the same `key`, if its file is unchanged."""
    try:
        card = json.loads((folder / _CARD).read_text())
        onnx = hashlib.sha256((folder / _MODEL).read_bytes()).hexdigest()
        if (card["key"], card["onnx_sha256"]) != (key, onnx):
            return None
        fields = card["report"]
        for name in ("model", "late_as_left", "late_as_left_less_mean_gain", "mean"):
            fields[name] = Error(**fields[name])
        return Report(**fields)
    except (FileNotFoundError, ValueError, KeyError, TypeError):
        return None


def describe(trained: Trained) -> str:
    """Return the report in words, for a terminal."""
    report = trained.report
    made = "kept from an earlier run" if trained.cached else f"trained in {report.seconds} s"
    lines = [
        f"{trained.onnx} ({made} on {report.trained_rows:,} flights of months 1 to 9)",
        f"error on {report.tested_rows:,} flights of months 10 to 12, in minutes:",
    ]
    guesses = (
        ("the model", report.model),
        ("arrives as late as it left", report.late_as_left),
        ("the same less the mean gain", report.late_as_left_less_mean_gain),
        ("the mean delay", report.mean),
    )
    lines += [f"  {who:28} MAE {e.mae_min:6.2f}  RMSE {e.rmse_min:6.2f}" for who, e in guesses]
    return "\n".join(lines)


if __name__ == "__main__":
    sys.stdout.write(describe(train(*map(Path, sys.argv[1:]))) + "\n")
