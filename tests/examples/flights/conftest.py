"""Make the flights dataset and its model once for each worker."""

from pathlib import Path

import pytest

from examples.flights.dataset import prepare
from examples.flights.train import Trained, train


@pytest.fixture(scope="session")
def flights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The whole dataset, made from the installed package."""
    return prepare(tmp_path_factory.mktemp("flights") / "lake").root


@pytest.fixture(scope="session")
def trained(flights: Path, tmp_path_factory: pytest.TempPathFactory) -> Trained:
    """The model, trained on the whole dataset."""
    return train(flights, tmp_path_factory.mktemp("training") / "model")
