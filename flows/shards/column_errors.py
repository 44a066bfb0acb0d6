"""The errors of mapping columns to tensors, each with what the person should do.

MappingError
├── MissingColumn        a column that the job needs is not in the dataset
├── UnknownTensor        the job names an input or output that the model does not have
├── UnsupportedDatatype  a tensor datatype that this program does not have
├── WrongType            no conversion leads from the column's type to the input's
├── CastNotAllowed       a conversion exists, but the job has to ask for it
│   ├── LossyCast        it may change values: ask with `lossy`
│   ├── TemporalCast     it reads a date or time as a number: ask with `temporal`
│   └── ParseCast        it reads text as numbers: ask with `parse`
├── WrongShape           the columns do not have as many values as the tensor takes or gives
├── NameCollision        two columns of the output would have the same name: rename one
└── MixedLengths         rows with lists of different lengths were encoded as one: split them first
"""


class MappingError(Exception):
    """Columns that cannot be brought to the model's inputs, or outputs to columns."""

    def __init__(self, message: str, *, name: str = "") -> None:
        super().__init__(message)
        self.name = name
        """The column or tensor at fault."""


class MissingColumn(MappingError):
    """A column that the job needs is not in the dataset."""


class UnknownTensor(MappingError):
    """The job names an input or output that the model does not have."""


class UnsupportedDatatype(MappingError):
    """A tensor's datatype is one that this program does not have."""


class WrongType(MappingError):
    """No conversion leads from the column's type to the input's datatype."""


class CastNotAllowed(MappingError):
    """A conversion that the job has to ask for."""

    permission = ""
    """The word in the job's `casts` that allows it."""


class LossyCast(CastNotAllowed):
    """The conversion may change values."""

    permission = "lossy"


class TemporalCast(CastNotAllowed):
    """The conversion reads a date or time as a number."""

    permission = "temporal"


class ParseCast(CastNotAllowed):
    """The conversion reads text as numbers."""

    permission = "parse"


class WrongShape(MappingError):
    """Columns and tensor differ in their number of values, or in how they are nested."""


class NameCollision(MappingError):
    """Two columns of the output would have the same name."""


class MixedLengths(MappingError):
    """Rows whose lists differ in length cannot share one tensor."""
