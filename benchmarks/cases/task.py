"""Say what one case is to score; standard library only, since every peer imports it."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Task:
    """A dataset, a model that Triton serves, and where the scores go."""

    dataset: str
    """Folder of Parquet files, each with `id` and the input columns."""
    output: str
    """Folder for the scores; not there yet."""
    model: str
    """Name in Triton, and in the registry."""
    columns: tuple[str, ...]
    """Columns that feed the input, in order: one column of lists or text, or several of numbers."""
    input: str
    """The model's input: [rows, width]."""
    datatype: str
    """Its datatype: FP32 or BYTES."""
    width: int
    """Values in a row of the input."""
    output_name: str
    """The model's output, FP32[rows, output_width], and the column that the scores become."""
    output_width: int
    """Values in a row of the output; a column of lists when more than 1."""
    http_url: str
    """`host:port` of Triton's REST protocol."""
    grpc_url: str
    """`host:port` of Triton's gRPC protocol."""
    knobs: Mapping[str, int]
    """How the case is tuned; each case has its own."""

    @property
    def files(self) -> list[Path]:
        """The dataset's files, in order."""
        return sorted(Path(self.dataset).glob("*.parquet"))

    @property
    def read_columns(self) -> list[str]:
        """What has to be read: the identity and the input."""
        return ["id", *self.columns]

    def to_json(self) -> str:
        """Return it as a case takes it on its command line."""
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> "Task":
        """Read what `to_json` wrote."""
        fields = json.loads(text)
        fields["columns"] = tuple(fields["columns"])
        return cls(**fields)
