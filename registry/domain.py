"""Say what a registered model is: names, versions, aliases and signatures, without I/O."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

_NAME = re.compile(r"[A-Za-z0-9_.-]{1,128}")
_STATISTICS = "stats"
"""What the V2 protocol has in the place of a model's name: `GET /v2/models/stats`."""


class InvalidName(ValueError):
    """A model or alias name that cannot be registered."""


def check_name(name: str, kind: str) -> str:
    """Return `name` unchanged, or raise `InvalidName` saying what is allowed.

    The alphabet is what every V2 client sends unescaped in a URL path.
    """
    if not _NAME.fullmatch(name) or name in {".", ".."}:
        raise InvalidName(
            f"{kind} name {name!r} is not allowed: use 1 to 128 letters, digits, '_', '-' or '.'"
        )
    if kind == "model" and name == _STATISTICS:
        raise InvalidName(
            f"model name {name!r} is not allowed: requests for statistics have it, choose another"
        )
    return name


def check_alias(name: str) -> str:
    """Return `name` unchanged, or raise `InvalidName` when it cannot be an alias.

    An alias of digits alone could not be told from a version in `NAME@3`.
    """
    check_name(name, "alias")
    if name.isdecimal():
        raise InvalidName(
            f"alias name {name!r} is not allowed: digits alone name a version, add a letter"
        )
    return name


@dataclass(frozen=True, slots=True)
class TensorSpec:
    """One input or output of a model."""

    name: str
    """The tensor's name, as the server knows it."""
    datatype: str
    """Open Inference Protocol datatype: `FP32`, `INT64`, `BYTES`…"""
    shape: tuple[int, ...]
    """Every dimension, the rows first; -1 is a dimension that may vary. Rows are always -1."""

    @property
    def row_shape(self) -> tuple[int, ...]:
        """The dimensions of one row."""
        return self.shape[1:]

    def __str__(self) -> str:
        return f"{self.name} {self.datatype}{list(self.shape)}"


@dataclass(frozen=True, slots=True)
class Signature:
    """What a model version takes and gives."""

    inputs: tuple[TensorSpec, ...]
    """In the server's order; names are unique."""
    outputs: tuple[TensorSpec, ...]
    """In the server's order; names are unique."""
    max_batch_size: int = 0
    """Most rows that one request may carry; 0 when the model sets no limit."""

    def input(self, name: str) -> TensorSpec:
        """Return the input called `name`; raises `KeyError`."""
        return {spec.name: spec for spec in self.inputs}[name]

    def output(self, name: str) -> TensorSpec:
        """Return the output called `name`; raises `KeyError`."""
        return {spec.name: spec for spec in self.outputs}[name]


@dataclass(frozen=True, slots=True)
class ModelRef:
    """What a person writes to name a model: `NAME@ALIAS`, or `NAME@3` for a pinned version."""

    name: str
    """The registered model."""
    alias: str | None
    """The alias to follow; None when a version is pinned."""
    version: int | None
    """The pinned version; None when an alias is followed."""

    @classmethod
    def parse(cls, text: str) -> "ModelRef":
        """Read `NAME@ALIAS` or `NAME@VERSION`; raises `InvalidName` for anything else."""
        name, at, target = text.partition("@")
        if not at or not target:
            raise InvalidName(
                f"model {text!r} names no version: write NAME@ALIAS (for example "
                f"{name or 'flights'}@champion) or NAME@VERSION ({name or 'flights'}@3)"
            )
        check_name(name, "model")
        if target.isdecimal() and target.isascii():
            return cls(name, None, int(target))
        return cls(name, check_alias(target), None)

    def __str__(self) -> str:
        return f"{self.name}@{self.alias if self.alias is not None else self.version}"


@dataclass(frozen=True, slots=True)
class ModelVersion:
    """One immutable version of a model: everything that a job pins."""

    name: str
    """The registered model."""
    version: int
    """Counted from 1 within the model, never used twice."""
    signature: Signature
    """What it takes and gives."""
    digest: str
    """`sha256:…` of the artifact's bytes, or `metadata-sha256:…` of what the server says of
    the model when no artifact was given."""
    served_name: str
    """The name by which Triton serves it."""
    served_version: str
    """The version directory by which Triton serves it."""
    columns: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """Dataset columns that feed each input when a job does not say otherwise."""
    artifact: str | None = None
    """Where the model file lies, when it was given."""
    description: str = ""
    """What the person who registered it wants others to know."""
    created_at: datetime | None = None
    """When it was registered, in UTC."""
    created_by: str = ""
    """Who registered it."""
    tags: Mapping[str, str] = field(default_factory=dict)
    """What versions are found by; given once, like all of a version."""

    def __str__(self) -> str:
        return f"{self.name}@{self.version}"


@dataclass(frozen=True, slots=True)
class Model:
    """A name under which versions are registered."""

    name: str
    """Unique in the registry."""
    description: str
    """What the model is for."""
    last_version: int
    """The highest version number given so far; 0 when there is none yet."""
    created_at: datetime
    """When it was first registered, in UTC."""
    created_by: str = ""
    """Who did that."""
    tags: Mapping[str, str] = field(default_factory=dict)
    """What models are found by; may be changed."""
    protected: tuple[str, ...] = ()
    """Aliases that go to approved versions only, by name."""
    revision: int = 0
    """How many events it has had: whatever changes it, its versions or aliases raises it by 1."""
    changed_at: datetime | None = None
    """When the last of them was, in UTC."""


@dataclass(frozen=True, slots=True)
class Alias:
    """A name that points to one version of a model, and can be moved."""

    model: str
    """The registered model."""
    name: str
    """The alias, unique within the model: `champion`…"""
    version: int
    """The version it points to."""
    moved_at: datetime
    """When it was last moved, in UTC."""
    revision: int = 0
    """The model's revision at that move: no two moves within a model have the same."""

    def __str__(self) -> str:
        return f"{self.model}@{self.name}"


@dataclass(frozen=True, slots=True)
class Approval:
    """The word of one person that a version may go live."""

    model: str
    """The registered model."""
    version: int
    """The version that was looked at."""
    by: str
    """Who approved it."""
    at: datetime
    """When, in UTC."""
    why: str
    """What was looked at; may be empty."""


@dataclass(frozen=True, slots=True)
class AliasMove:
    """One line of an alias's history."""

    model: str
    """The registered model."""
    alias: str
    """The alias that was moved."""
    at: datetime
    """When, in UTC."""
    by: str
    """Who moved it."""
    from_version: int | None
    """The version it left; None when the alias was new."""
    to_version: int
    """The version it points to since."""
    why: str
    """The reason given; may be empty."""
