"""Check that a case wrote the right scores: nobody wins by being wrong."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from benchmarks.workloads.workload import Answers, Workload


class WrongScores(Exception):
    """A case wrote other scores than the model gives."""


def score_files(output: Path) -> list[Path]:
    """Return the Parquet files that a reader of `output` would see."""
    return [
        path
        for path in sorted(output.rglob("*.parquet"))
        if not any(part.startswith(("_", ".")) for part in path.relative_to(output).parts)
    ]


def count_rows(output: Path) -> int:
    """Return how many rows the scores have, from their footers."""
    return sum(pq.read_metadata(path).num_rows for path in score_files(output))


def expected(workload: Workload, dataset: Path) -> Answers:
    """Score the dataset without Triton, in the order of `id`: [rows, output_width]."""
    tables = (pq.read_table(path) for path in sorted(dataset.glob("*.parquet")))
    return np.concatenate([workload.oracle(table) for table in tables])


def check(workload: Workload, output: Path, wanted: Answers) -> None:
    """Compare every score by its `id`; raises `WrongScores`."""
    seen = np.zeros(len(wanted), np.int64)
    for path in score_files(output):
        table = pq.read_table(path, partitioning=None, columns=["id", workload.output])
        ids = table["id"].to_numpy()
        if len(ids) and (ids.min() < 0 or ids.max() >= len(wanted)):
            raise WrongScores(f"{path.name} has an id that the dataset does not have")
        np.add.at(seen, ids, 1)
        scores = _values(table[workload.output].combine_chunks(), workload.output_width)
        near = np.isclose(
            scores, wanted[ids], rtol=workload.tolerance, atol=workload.tolerance
        ).all(axis=1)
        if not near.all():
            row = int(np.flatnonzero(~near)[0])
            raise WrongScores(
                f"{np.count_nonzero(~near):,} of {len(ids):,} scores in {path.name} are not the "
                f"model's; id {ids[row]} has {scores[row][:3]}, not {wanted[ids[row]][:3]}"
            )
    if not (seen == 1).all():
        raise WrongScores(
            f"{np.count_nonzero(seen == 0):,} of {len(wanted):,} ids are missing, "
            f"{np.count_nonzero(seen > 1):,} are there more than once"
        )


def _values(column: pa.Array, width: int) -> np.ndarray:
    """Return a column of numbers or of lists as [rows, width]."""
    lists = isinstance(column.type, (pa.ListType, pa.LargeListType, pa.FixedSizeListType))
    values = column.flatten() if lists else column
    return np.asarray(values.to_numpy(zero_copy_only=False)).reshape(len(column), width)
