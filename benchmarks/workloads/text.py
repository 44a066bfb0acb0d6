"""Describe *text*: one string a row goes to a model that works on bytes."""

import zlib
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa

from benchmarks.workloads.features import FILES, served
from benchmarks.workloads.workload import Answers, Workload

NAME = "text"
_SEED = 2
_VOCABULARY = 5_000
_LETTERS = np.array(list("abcdefghijklmnopqrstuvwxyzäéßøñ"))
_LENGTHS = (2, 12)
_WORDS = (4, 16)


def workload(folder: Path) -> Workload:
    """Describe it; nothing has to be kept in `folder`."""
    del folder
    return Workload(
        name=NAME,
        about="`id` and a text of 4 to 15 words, zstd, 8 files; a Python model that counts words",
        rows=2_000_000,
        columns=("text",),
        input="text",
        datatype="BYTES",
        width=1,
        output="score",
        output_width=1,
        tolerance=0.0,
        tables=_tables,
        model=lambda: served(NAME),
        oracle=_score,
    )


def _score(table: pa.Table) -> Answers:
    """Words, and as the fraction 10 bits of the text's CRC-32; float32 holds both exactly."""
    scores = np.empty((table.num_rows, 1), np.float32)
    for row, text in enumerate(table["text"].to_pylist()):
        scores[row] = len(text.split(" ")) + zlib.crc32(text.encode()) % 1024 / 1024
    return scores


def _tables(rows: int) -> Iterator[pa.Table]:
    random = np.random.default_rng(_SEED)
    words = np.array(
        ["".join(random.choice(_LETTERS, size)) for size in random.integers(*_LENGTHS, _VOCABULARY)]
    )
    first = 0
    for number in range(FILES):
        stop = rows * (number + 1) // FILES
        counts = random.integers(*_WORDS, stop - first)
        chosen = iter(
            np.split(words[random.integers(0, len(words), counts.sum())], counts.cumsum())
        )
        texts = [" ".join(next(chosen)) for _ in counts]
        yield pa.table({"id": np.arange(first, stop), "text": texts})
        first = stop
