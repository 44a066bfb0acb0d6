"""The errors of reading a dataset or writing an output, each with what to do about it.

ShardError
├── InputError                  nothing is scored until the dataset is put right
│   ├── NoSuchInput             there is nothing at that address
│   ├── EmptyDataset            the folder is there, with nothing in it to score
│   ├── NotParquet              an object of the dataset is something else
│   ├── CorruptFooter           begins as Parquet and cannot be read as such
│   ├── CorruptPage             a row group cannot be decoded
│   ├── SchemaDrift             two files of the dataset disagree about columns
│   ├── ColumnClash             one name stands for two columns
│   └── InputChanged            the object is no longer the one that was planned
├── OutputError                 nothing is published
│   ├── OutputNotWritable       the probe could not write
│   ├── OutputOccupied          another job's output, or something else, is there
│   ├── OutputInsideInput       its parts would be rows of the dataset
│   ├── JobSuperseded           another job took the output over while this one ran
│   ├── PartConflict            an object with a part's name is not that part
│   └── IncompleteOutput        publishing was asked for before every part was committed
├── StoreError
│   ├── BadUri                  an address that no store is opened for
│   ├── NoSuchObject            the object that was asked for is not there
│   ├── LinkLoop, NotAFile      (local_files) a link leads back; a name has no file behind it
│   ├── StoreDenied             the store knows us and says no
│   └── StoreUnavailable        transient: another try may succeed
│       └── AmbiguousPut        the put may have happened: read back before trying again
├── PlanUnusable                (plan_file) a plan beside the output that is not the job's
└── RowsUnaccounted             (provenance) rows in are not rows ok plus rows quarantined
"""

from collections.abc import Sequence
from typing import Any


class ShardError(Exception):
    """Something about a dataset or an output that stops a shard or a job."""

    def __reduce__(self) -> tuple[Any, ...]:
        return (_rebuild, (type(self), self.args, self.__dict__))


def _rebuild(
    cls: type[ShardError], args: tuple[object, ...], state: dict[str, object]
) -> ShardError:
    """Restore an error whose constructor takes other arguments than its message."""
    error = cls.__new__(cls, *args)
    error.args = args
    error.__dict__.update(state)
    return error


class InputError(ShardError):
    """The dataset cannot be scored as it is."""


class NoSuchInput(InputError):
    """There is nothing at the address of the dataset."""

    def __init__(self, uri: str) -> None:
        remote = "check the address, and that the credentials may list it"
        super().__init__(f"no such input: {uri}: {remote if '://' in uri else 'check the path'}")
        self.uri = uri
        """What was asked for."""


class EmptyDataset(InputError):
    """The address exists, and holds nothing to score."""

    def __init__(self, uri: str) -> None:
        super().__init__(
            f"empty dataset: {uri} holds no Parquet file (names that begin with '_' or '.' are "
            "skipped): write the data first, or name another place"
        )
        self.uri = uri
        """What was asked for."""


class NotParquet(InputError):
    """An object of the dataset is not a Parquet file."""

    def __init__(self, uri: str, found: str) -> None:
        super().__init__(
            f"not a Parquet file: {uri} ({found}): move it out of the dataset, or begin its name "
            "with '_' so that it is skipped"
        )
        self.uri = uri
        """The object's full address."""


class CorruptFooter(InputError):
    """A file begins as Parquet and has no footer that can be read."""

    def __init__(self, uri: str, detail: str) -> None:
        super().__init__(
            f"corrupt Parquet footer: {uri} ({one_line(detail)}): write the file again, or move it "
            "out of the dataset"
        )
        self.uri = uri
        """The object: its full address, below the dataset's root for a shard that is scored."""


class CorruptPage(InputError):
    """A row group of a file cannot be decoded."""

    def __init__(self, key: str, row_group: int, detail: str) -> None:
        super().__init__(
            f"corrupt page: {key}, row group {row_group} ({one_line(detail)}): write the file "
            "again, or move it out of the dataset"
        )
        self.key = key
        """The object, below the dataset's root."""
        self.row_group = row_group
        """The row group at fault, from 0."""


class SchemaDrift(InputError):
    """Two files of the dataset disagree about their columns."""

    def __init__(
        self, column: str, uri: str, *, first: tuple[str, str], other: tuple[str, str]
    ) -> None:
        super().__init__(
            f"schema drift in {uri}: column {column!r} is {first[1]} in {first[0]} and {other[1]} "
            f"in {other[0]}: write one of them again with the other's columns, or score them apart"
        )
        self.column = column
        """The column that they disagree about."""
        self.first = first
        """The dataset's first file, and the column's type there."""
        self.other = other
        """The file that differs, and the column's type there."""


class ColumnClash(InputError):
    """One name stands for two columns."""

    def __init__(self, column: str, uri: str, detail: str) -> None:
        super().__init__(
            f"column {column!r} is ambiguous in {uri}: {detail}: write the dataset with each name "
            "used once"
        )
        self.column = column
        """The name."""


class InputChanged(InputError):
    """An object of the dataset is no longer the one that was planned."""

    def __init__(self, key: str, *, planned: str, found: str | None) -> None:
        now = "is gone" if found is None else f"is now {found}"
        super().__init__(
            f"input changed while it was being scored: {key} was {planned} and {now}: start the "
            "job again on a dataset that stays still"
        )
        self.key = key
        """The object, below the dataset's root."""


class OutputError(ShardError):
    """The output cannot be written as it was asked for."""


class OutputNotWritable(OutputError):
    """Nothing can be written at the output's address."""

    def __init__(self, uri: str, detail: str) -> None:
        super().__init__(
            f"output not writable: {uri} ({one_line(detail)}): choose another output, or give the "
            "job's user the right to write there"
        )
        self.uri = uri
        """The output."""


class OutputOccupied(OutputError):
    """The output belongs to something else than this job."""

    def __init__(
        self, uri: str, holder: str, differences: Sequence[str], *, replaceable: bool = True
    ) -> None:
        what = f": {'; '.join(differences)}" if differences else ""
        remedy = (
            "choose another output, or ask for the switch with --replace"
            if replaceable
            else "choose another output, or move them away"
        )
        super().__init__(f"output occupied: {uri} holds {holder}{what}: {remedy}")
        self.uri = uri
        """The output."""
        self.differences = tuple(differences)
        """What differs between the job that holds it and this one, in words."""


class OutputInsideInput(OutputError):
    """The output lies in the dataset that is to be scored."""

    def __init__(self, uri: str, source: str) -> None:
        where = "is the input" if uri == source else f"lies inside the input {source}"
        super().__init__(
            f"output inside the input: {uri} {where}, whose next job would score the scores: "
            "choose an output beside it, or one whose name begins with '_'"
        )


class JobSuperseded(OutputError):
    """Another job took the output over while this one ran."""

    def __init__(self, uri: str, fingerprint: str) -> None:
        super().__init__(
            f"superseded: {uri} was taken over by another job while job {fingerprint[:12]} ran: "
            "give each job an output of its own"
        )
        self.uri = uri
        """The output."""


class PartConflict(OutputError):
    """An object with a part's name is not that part."""

    def __init__(self, key: str, detail: str) -> None:
        super().__init__(
            f"part conflict: {key} is not a usable part of this job ({one_line(detail)}): remove "
            "that object and run the job again"
        )
        self.key = key
        """The object, below the output's root."""


class IncompleteOutput(OutputError):
    """Publishing was asked for before every part was committed."""

    def __init__(self, uri: str, missing: Sequence[int], total: int) -> None:
        shown = ", ".join(str(index) for index in missing[:5])
        more = "…" if len(missing) > 5 else ""
        super().__init__(
            f"incomplete output: {uri} lacks {len(missing)} of {total} parts (shards {shown}{more})"
            ": run the job again to score them"
        )
        self.missing = tuple(missing)
        """The shards without a part."""


class StoreError(ShardError):
    """A store did not do what it was asked."""


class BadUri(StoreError):
    """An address that no store is opened for."""

    def __init__(self, uri: str, detail: str) -> None:
        super().__init__(
            f"address {uri!r} is not usable: {detail}: write a local path, file:///folder or "
            "s3://bucket/prefix"
        )
        self.uri = uri
        """What was given."""


class NoSuchObject(StoreError):
    """The object is not there."""

    def __init__(self, uri: str) -> None:
        super().__init__(f"no such object: {uri}: it was removed, or never written")
        self.uri = uri
        """Its full address."""


class StoreDenied(StoreError):
    """The store refuses what was asked."""

    def __init__(self, uri: str, detail: str) -> None:
        super().__init__(
            f"access denied: {uri} ({one_line(detail)}): check the credentials and the rights they "
            "give"
        )
        self.uri = uri
        """What was asked for."""
        self.detail = one_line(detail)
        """What the store says."""


class StoreUnavailable(StoreError):
    """The store did not answer, or not sensibly; another try may succeed."""

    def __init__(self, uri: str, detail: str) -> None:
        super().__init__(
            f"store unavailable: {uri} ({one_line(detail)}): check that the store is up and "
            "reachable, then run the job again"
        )
        self.uri = uri
        """What was asked for."""
        self.detail = one_line(detail)
        """What the store says."""


class AmbiguousPut(StoreUnavailable):
    """A put was neither confirmed nor refused: it may have happened."""


def one_line(text: str) -> str:
    """Fold `text` into one line of at most 300 characters."""
    folded = " ".join(text.split())
    return folded if len(folded) <= 300 else f"{folded[:299]}…"
