"""Say what callers send and receive of models, versions and aliases."""

from datetime import datetime
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field

from api.fields import MOST_TAGS, Name, Number, Tags, TagValue, Text
from registry.domain import ModelVersion, Signature, TensorSpec

_LARGEST_DIMENSION = 2**31 - 1
_MOST_TENSORS = 256
_MOST_DIMENSIONS = 16
_MOST_COLUMNS = 10_000
_MOST_URI_CHARS = 2048

Datatype = Literal[
    "BOOL",
    "UINT8",
    "UINT16",
    "UINT32",
    "UINT64",
    "INT8",
    "INT16",
    "INT32",
    "INT64",
    "FP16",
    "FP32",
    "FP64",
    "BF16",
    "BYTES",
]
"""Datatypes of the Open Inference Protocol, with Triton's BF16."""

_Dimension = Annotated[int, Field(ge=-1, le=_LARGEST_DIMENSION)]


class Sent(BaseModel):
    """A body that callers send: a member that is not known is a slip, and refused."""

    model_config = ConfigDict(extra="forbid")


class Told(BaseModel):
    """A body that says what the registry holds, member by member: `model_validate` reads it."""

    model_config = ConfigDict(from_attributes=True)


class TensorBody(Sent):
    """One input or output."""

    name: Annotated[Text, Field(min_length=1, max_length=256)]
    datatype: Datatype
    shape: Annotated[
        list[_Dimension],
        Field(
            min_length=1,
            max_length=_MOST_DIMENSIONS,
            description="Every dimension, the rows first; -1 may vary.",
        ),
    ]

    @classmethod
    def of(cls, spec: TensorSpec) -> Self:
        """Return what is told of a tensor; what servers say is taken as it is."""
        return cls.model_construct(name=spec.name, datatype=spec.datatype, shape=list(spec.shape))

    def value(self) -> TensorSpec:
        """Return what was sent."""
        return TensorSpec(self.name, self.datatype, tuple(self.shape))


_Tensors = Annotated[list[TensorBody], Field(min_length=1, max_length=_MOST_TENSORS)]


class SignatureBody(Sent):
    """What a version takes and gives."""

    inputs: _Tensors
    outputs: _Tensors
    max_batch_size: Annotated[int, Field(ge=0, le=_LARGEST_DIMENSION)] = 0

    @classmethod
    def of(cls, signature: Signature) -> Self:
        """Return what is told of a signature."""
        return cls.model_construct(
            inputs=[TensorBody.of(spec) for spec in signature.inputs],
            outputs=[TensorBody.of(spec) for spec in signature.outputs],
            max_batch_size=signature.max_batch_size,
        )

    def value(self) -> Signature:
        """Return what was sent."""
        return Signature(
            tuple(tensor.value() for tensor in self.inputs),
            tuple(tensor.value() for tensor in self.outputs),
            self.max_batch_size,
        )


class ModelDraft(Sent):
    """A model to be registered, without versions."""

    name: Name
    description: Text = ""
    tags: Tags = Field(default_factory=dict)


class ModelPatch(Sent):
    """A change of a model; null takes the description, all tags or one tag away."""

    description: Text | None = None
    tags: Annotated[dict[Name, TagValue | None], Field(max_length=MOST_TAGS)] | None = None


class ModelChange(Sent):
    """A model as a change has left it."""

    description: Text = ""
    tags: Tags = Field(default_factory=dict)


class ModelBody(Told):
    """A model."""

    name: str
    description: str
    tags: dict[str, str]
    protected: list[str] = Field(description="Aliases that go to approved versions only.")
    last_version: int = Field(description="The highest number given so far; 0 without versions.")
    revision: int = Field(description="How many events it has had; its `ETag`.")
    created_at: datetime
    created_by: str
    changed_at: datetime | None


class VersionDraft(Sent):
    """A version to be registered. The same content gives the version that is there already."""

    served_name: Name = Field(description="The name by which Triton serves it.")
    served_version: Number = Field(default=1, description="Its version directory in Triton.")
    signature: SignatureBody | None = Field(
        default=None, description="What it takes and gives; the servers are asked without it."
    )
    pool: Name = Field(
        default="default",
        description="The pool whose servers load it and are asked, where `signature` is missing.",
    )
    digest: Annotated[str, Field(pattern=r"^(metadata-)?sha256:[0-9a-f]{64}$")] | None = Field(
        default=None,
        description="`sha256:…` of the artifact's bytes; without it that of what servers say.",
    )
    artifact: Annotated[Text, Field(max_length=_MOST_URI_CHARS)] | None = Field(
        default=None, description="URI of the model file."
    )
    columns: dict[
        Annotated[Text, Field(max_length=256)],
        Annotated[list[Annotated[Text, Field(max_length=256)]], Field(max_length=_MOST_COLUMNS)],
    ] = Field(
        default_factory=dict,
        max_length=_MOST_TENSORS,
        description="Dataset columns that feed each input.",
    )
    description: Text = ""
    tags: Tags = Field(default_factory=dict)


class VersionBody(BaseModel):
    """A version; nothing of it ever changes."""

    model: str
    version: int
    digest: str
    artifact: str | None
    served_name: str
    served_version: int
    signature: SignatureBody
    columns: dict[str, list[str]]
    description: str
    tags: dict[str, str]
    created_at: datetime | None
    created_by: str

    @classmethod
    def of(cls, version: ModelVersion) -> Self:
        """Return what is told of a version."""
        return cls.model_construct(
            model=version.name,
            version=version.version,
            digest=version.digest,
            artifact=version.artifact,
            served_name=version.served_name,
            served_version=int(version.served_version),
            signature=SignatureBody.of(version.signature),
            columns={name: list(columns) for name, columns in version.columns.items()},
            description=version.description,
            tags=dict(version.tags),
            created_at=version.created_at,
            created_by=version.created_by,
        )


class Reason(Sent):
    """Why something is done, for the history."""

    why: Text = ""


class ApprovalBody(Told):
    """The word of one person that a version may go live."""

    model: str
    version: int
    by: str
    at: datetime
    why: str


class ApprovalsBody(BaseModel):
    """Who approved a version."""

    items: list[ApprovalBody]


class AliasMove(Reason):
    """Where an alias shall point."""

    version: Number
    from_version: Annotated[int, Field(ge=0, le=2**31 - 1)] | None = Field(
        default=None,
        description="The version that it must point to now, 0 for none: may stand for If-Match.",
    )


class AliasBody(Told):
    """An alias."""

    model: str
    name: str
    version: int
    moved_at: datetime
    revision: int = Field(description="The model's revision at the last move; its `ETag`.")


class AliasThen(BaseModel):
    """Where an alias pointed at a moment."""

    model: str
    alias: str
    at: datetime = Field(description="The moment that was asked for.")
    version: int | None = Field(description="Where it pointed; null when it had been deleted.")
    since: datetime = Field(description="When it was moved there.")
    by: str = Field(description="Who did that.")
    why: str = Field(description="The reason given.")
    from_version: int | None = Field(description="Where it pointed before.")
