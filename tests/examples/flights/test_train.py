"""Check the model of the flights example: what it may see, how good it is, what is kept."""

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from examples.flights.train import (
    FEATURES,
    OUTPUT,
    NotFaithful,
    Trained,
    describe,
    score,
    train,
)


def test_only_what_is_known_at_departure_is_used() -> None:
    """Nothing that happens after take-off feeds the model."""
    assert not {"arr_time", "arr_delay", "air_time"} & set(FEATURES)


def test_it_beats_the_naive_guesses_on_months_it_has_not_seen(trained: Trained) -> None:
    """The honest error is on October to December, and the model is the best of the four."""
    report = trained.report
    assert (report.trained_rows, report.tested_rows) == (244_737, 82_609)
    guesses = (report.late_as_left, report.late_as_left_less_mean_gain, report.mean)
    assert report.model.mae_min < min(guess.mae_min for guess in guesses)
    assert report.model.rmse_min < min(guess.rmse_min for guess in guesses)
    assert 11 < report.model.mae_min < 12.1
    assert report.export_difference_min < 0.001


def test_the_model_scores_every_flight_that_left(trained: Trained, flights: Path) -> None:
    """Features as FP32 in the declared order give one finite number a row."""
    table = pq.ParquetFile(flights / "month=11" / "flights.parquet").read(list(FEATURES))
    columns = [table.drop_null()[name].to_numpy().astype(np.float32) for name in FEATURES]
    predicted = score(trained.onnx.read_bytes(), np.stack(columns, axis=1))
    assert predicted.shape == (len(columns[0]), 1)
    assert np.isfinite(predicted).all()


def test_a_second_run_keeps_the_model(trained: Trained, flights: Path) -> None:
    """Nothing is trained, and the file is not touched."""
    before = trained.onnx.stat().st_mtime_ns
    assert train(flights, trained.onnx.parent) == replace(trained, cached=True)
    assert trained.onnx.stat().st_mtime_ns == before


def test_training_again_gives_the_same_bytes(
    trained: Trained, flights: Path, tmp_path: Path
) -> None:
    """A damaged model is trained anew, and the digest by which it is registered stays the same."""
    folder = tmp_path / "model"
    shutil.copytree(trained.onnx.parent, folder)
    (folder / "model.onnx").write_bytes(b"damage")
    again = train(flights, folder)
    assert not again.cached
    assert again.onnx.read_bytes() == trained.onnx.read_bytes()


def test_an_unfaithful_export_is_refused(flights: Path, tmp_path: Path) -> None:
    """A model that says something else after the export is not kept."""
    with pytest.raises(NotFaithful, match="check the versions of scikit-learn and skl2onnx"):
        train(flights, tmp_path, tolerance_min=0.0)
    assert not list(tmp_path.iterdir())


def test_the_report_is_said_in_words(trained: Trained) -> None:
    """A person reads the error beside the guesses."""
    words = describe(replace(trained, cached=True))
    assert "kept from an earlier run on 244,737 flights of months 1 to 9" in words
    assert f"MAE {trained.report.model.mae_min:6.2f}" in words
    assert "arrives as late as it left" in words
    assert OUTPUT == "predicted_arr_delay"
