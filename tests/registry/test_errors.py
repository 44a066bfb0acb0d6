"""Check what the registry's errors tell the reader."""

import pickle

import pytest

from registry.errors import RegistryError, UnknownAlias, UnknownModel, UnknownVersion


@pytest.mark.parametrize(
    ("error", "text"),
    [
        (
            UnknownModel("flihgts", ["aaa", "flights"]),
            "unknown model 'flihgts'; known: flights, aaa; "
            "register it with `nightshift models register flihgts --onnx FILE`",
        ),
        (
            UnknownModel("flights", []),
            "unknown model 'flights'; there is none yet; "
            "register it with `nightshift models register flights --onnx FILE`",
        ),
        (
            UnknownVersion("flights", 3, [2, 1]),
            "model 'flights' has no version 3; known: 2, 1; "
            "see them with `nightshift models show flights`",
        ),
        (
            UnknownAlias("flights", "chmpion", ["challenger", "champion"]),
            "model 'flights' has no alias 'chmpion'; known: champion, challenger; "
            "set it with `nightshift models alias flights@VERSION chmpion`",
        ),
    ],
)
def test_an_error_lists_the_known_and_names_the_command(error: RegistryError, text: str) -> None:
    """One line: what is missing, what there is (the likeliest first), what to type."""
    assert str(error) == text


def test_a_long_list_is_cut() -> None:
    """An error stays one line that can be read."""
    error = UnknownModel("z", [f"m{number:02}" for number in range(25)])
    assert "m09 … and 15 more;" in str(error)


@pytest.mark.parametrize(
    "error",
    [UnknownModel("a", ["b"]), UnknownVersion("a", 2, [1]), UnknownAlias("a", "b", ["c"])],
)
def test_an_error_survives_a_process_boundary(error: RegistryError) -> None:
    """An error raised in a worker arrives with its fields."""
    copy = pickle.loads(pickle.dumps(error))
    assert (str(copy), vars(copy)) == (str(error), vars(error))
