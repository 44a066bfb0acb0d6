"""Errors travel between processes and stay on one line."""

import pickle

import pytest

from flows.shards import errors
from flows.shards.local_files import LinkLoop, NotAFile
from flows.shards.provenance import RowsUnaccounted

EXAMPLES = [
    errors.NoSuchInput("s3://b/x"),
    errors.EmptyDataset("s3://b/x"),
    errors.NotParquet("x.csv", "it begins with b'a'"),
    errors.CorruptFooter("x", "two\nlines"),
    errors.CorruptPage("x", 3, "two\nlines"),
    errors.SchemaDrift("c", "s3://b/x", first=("a", "int64"), other=("b", "string")),
    errors.ColumnClash("c", "a", "why"),
    errors.InputChanged("x", planned="1", found=None),
    errors.OutputNotWritable("/out", "why\nnot"),
    errors.OutputOccupied("/out", "a job", ["model a → b", "input c → d"]),
    errors.OutputInsideInput("/lake/out", "/lake"),
    errors.JobSuperseded("/out", "f" * 64),
    errors.PartConflict("part", "why"),
    errors.IncompleteOutput("/out", list(range(9)), 20),
    errors.BadUri("ftp://x", "why"),
    errors.NoSuchObject("s3://b/x"),
    LinkLoop("/lake/loop"),
    NotAFile("/lake/c.parquet", "a pipe, a socket or a device"),
    errors.StoreDenied("s3://b/x", "Access\nDenied"),
    errors.StoreUnavailable("s3://b/x", "down"),
    errors.AmbiguousPut("s3://b/x", "reset"),
    RowsUnaccounted("shard 3", rows_in=3, rows_ok=1, rows_quarantined=1),
]


@pytest.mark.parametrize("error", EXAMPLES, ids=lambda error: type(error).__name__)
def test_survives_pickling(error: errors.ShardError) -> None:
    """Message, type and fields are the same on the other side."""
    again = pickle.loads(pickle.dumps(error))
    assert (type(again), str(again), vars(again)) == (type(error), str(error), vars(error))


@pytest.mark.parametrize("error", EXAMPLES, ids=lambda error: type(error).__name__)
def test_one_line_with_a_remedy(error: errors.ShardError) -> None:
    """What, where, remedy: three clauses on one line."""
    assert "\n" not in str(error)
    assert str(error).count(": ") >= 2


def test_tree_names_every_error() -> None:
    """The tree at the top of the module is complete."""
    named = {word.strip("│├└─ ") for word in (errors.__doc__ or "").split()}
    for name, value in vars(errors).items():
        if isinstance(value, type) and issubclass(value, errors.ShardError):
            assert name in named


def test_long_words_of_a_store_are_cut() -> None:
    """A page of HTML does not become a message."""
    assert len(errors.one_line("x " * 1000)) == 300
