"""Check that exported trees give the same bits, however rows are grouped."""

from collections.abc import Callable

import numpy as np
import onnxruntime as ort
import pytest
from hypothesis import given
from hypothesis import strategies as st
from onnx import NodeProto, helper
from sklearn.ensemble import HistGradientBoostingRegressor

from examples.flights.export import export, round_leaves

Session = Callable[[int], ort.InferenceSession]


def trees(leaves: list[list[float]], base: float) -> NodeProto:
    """Return an ensemble node with these leaves; all that `round_leaves` looks at."""
    return helper.make_node(
        "TreeEnsembleRegressor",
        ["x"],
        ["y"],
        target_weights=[leaf for tree in leaves for leaf in tree],
        target_treeids=[number for number, tree in enumerate(leaves) for _ in tree],
        base_values=[base],
    )


def floats(node: NodeProto, name: str) -> list[float]:
    return next(list(a.floats) for a in node.attribute if a.name == name)


leaf = st.floats(-1000, 1000, width=32)


@given(
    st.lists(st.lists(leaf, min_size=1, max_size=4), min_size=1, max_size=60), leaf, st.randoms()
)
def test_every_order_of_leaves_sums_to_the_same_bits(
    leaves: list[list[float]], base: float, random: "np.random.Generator"
) -> None:
    """One leaf of each tree, added in any order in float32, gives the exact sum."""
    node = trees(leaves, base)
    unit = round_leaves(node)
    rounded = iter(floats(node, "target_weights"))
    chosen = [[next(rounded) for _ in tree][-1] for tree in leaves]
    chosen += floats(node, "base_values")
    exact = float(np.sum(np.array(chosen, np.float64)))
    random.shuffle(chosen)
    total = np.float32(0)
    for value in chosen:
        total = np.float32(total + np.float32(value))
    assert float(total) == exact
    originals = [tree[-1] for tree in leaves] + [base]
    assert abs(exact - sum(originals)) <= unit * len(originals)


def test_leaves_of_nothing_stay_nothing() -> None:
    """Trees that say 0 everywhere have no unit to be rounded to, and need none."""
    node = trees([[0.0, 0.0]], 0.0)
    round_leaves(node)
    assert floats(node, "target_weights") == [0.0, 0.0]


@pytest.fixture(scope="module")
def rows() -> np.ndarray:
    return np.random.default_rng(7).normal(0, 100, (5_000, 3)).astype(np.float32)


@pytest.fixture(scope="module")
def model(rows: np.ndarray) -> HistGradientBoostingRegressor:
    target = rows[:, 0] * 0.3 + np.sin(rows[:, 1]) * 50 + rows[:, 2] ** 2 / 100
    return HistGradientBoostingRegressor(max_iter=100, random_state=0).fit(rows, target)


@pytest.fixture(scope="module")
def session(model: HistGradientBoostingRegressor) -> Session:
    onnx = export(model, features=3, added=2, output="out")

    def start(threads: int) -> ort.InferenceSession:
        options = ort.SessionOptions()
        options.intra_op_num_threads = threads
        return ort.InferenceSession(onnx, options, providers=["CPUExecutionProvider"])

    return start


def test_the_export_says_what_the_model_says(
    rows: np.ndarray, model: HistGradientBoostingRegressor, session: Session
) -> None:
    """The trees' sum plus the added column, as FP32[n, 1]."""
    (found,) = session(1).run(["out"], {"features": rows})
    assert (found.shape, found.dtype) == ((5_000, 1), np.float32)
    np.testing.assert_allclose(found[:, 0], model.predict(rows) + rows[:, 2], atol=0.01)


@pytest.mark.parametrize("threads", [1, 2, 3])
def test_grouping_and_threads_do_not_change_a_bit(
    rows: np.ndarray, session: Session, threads: int
) -> None:
    """onnxruntime adds trees in other orders at 1, 51 and 129 rows; the scores stay the same."""
    (expected,) = session(1).run(["out"], {"features": rows})
    running = session(threads)
    for size in (1, 2, 50, 51, 128, 129, 5_000):
        stop = min(len(rows), size * 50)
        pieces = [
            running.run(["out"], {"features": rows[start : start + size]})[0]
            for start in range(0, stop, size)
        ]
        found = np.concatenate(pieces)
        assert np.array_equal(found.view(np.uint32), expected[: len(found)].view(np.uint32))
