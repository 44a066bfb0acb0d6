"""Identify a job by everything that determines its output."""

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from functools import cached_property
from typing import Any

from pydantic import BaseModel, ConfigDict

from flows.shards.types import InputFile

SHOWN_DIFFERENCES = 3
"""Files, columns or settings named one by one before the rest is counted."""


class InputIdentity(BaseModel):
    """One file of the dataset, as far as it determines the output."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    key: str
    """Path below the dataset's root."""
    etag: str
    """Identity of its content."""
    size: int
    """Bytes."""
    row_groups: tuple[int, ...]
    """Rows of each row group."""


class ModelIdentity(BaseModel):
    """The model version that scores."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    """The registered model."""
    version: int
    """Its version."""
    digest: str
    """Digest of the artifact, or of what the server says of it."""


class Fingerprint(BaseModel):
    """Everything that determines a job's output.

    How the dataset is cut into shards changes no row of the output and is therefore not in here;
    the job's record in the output pins it (see `manifest.claim_output`).
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    input_uri: str
    """The dataset's address."""
    inputs: tuple[InputIdentity, ...]
    """Its files, by key."""
    model: ModelIdentity
    """The model version."""
    mapping: dict[str, Any]
    """How columns become tensors, and what is accepted: JSON values only."""
    output_schema: tuple[tuple[str, str], ...]
    """Name and type of each column of the parts, in order."""
    replaced: str = ""
    """Digest of the published job that this one replaces; empty for none. It changes no row, but
    the names of the objects: none is ever written again under a name that somebody may still be
    removing as replaced."""

    @cached_property
    def inputs_digest(self) -> str:
        """SHA-256 of the list of files, in hex."""
        return _sha256([identity.model_dump() for identity in self.inputs])

    @cached_property
    def digest(self) -> str:
        """SHA-256 of everything above, in hex; the same in any process."""
        # What is replaced counts only where something is.
        components = self.model_dump(exclude={"inputs"}, exclude_defaults=True)
        return _sha256({**components, "inputs": self.inputs_digest})

    def over(self, published: "Fingerprint | None") -> "Fingerprint":
        """Return the fingerprint of this job where `published` is, its own output or another's."""
        if published is None:
            return self.replacing("")
        own = self.replacing(published.replaced)
        return own if own.digest == published.digest else self.replacing(published.digest)

    def replacing(self, digest: str) -> "Fingerprint":
        """Return the fingerprint of the same job with what it replaces."""
        fields = {name: getattr(self, name) for name in type(self).model_fields}
        return type(self).model_construct(**fields | {"replaced": digest})

    @property
    def short(self) -> str:
        """The first 12 hex digits, as they stand in names."""
        return self.digest[:12]


def fingerprint_of(
    *,
    input_uri: str,
    files: Iterable[InputFile],
    model: ModelIdentity,
    mapping: Mapping[str, Any],
    output_schema: Sequence[tuple[str, str]],
) -> Fingerprint:
    """Make the fingerprint of a job; the order of `files` does not matter."""
    return Fingerprint(
        input_uri=input_uri,
        inputs=tuple(
            InputIdentity(
                key=file.key,
                etag=file.etag,
                size=file.size,
                row_groups=tuple(group.rows for group in file.row_groups),
            )
            for file in sorted(files, key=lambda file: file.key)
        ),
        model=model,
        # Through JSON, so that a fingerprint read back from a manifest compares equal.
        mapping=json.loads(json.dumps(dict(mapping))),
        output_schema=tuple((name, kind) for name, kind in output_schema),
    )


def differences(theirs: Fingerprint, ours: Fingerprint) -> list[str]:
    """Say in words what differs, from `theirs` to `ours`; empty when nothing does."""
    return [
        *_changed("input", theirs.input_uri, ours.input_uri),
        *_input_differences(theirs.inputs, ours.inputs),
        *_model_differences(theirs.model, ours.model),
        *_mapping_differences(theirs.mapping, ours.mapping),
        *_schema_differences(dict(theirs.output_schema), dict(ours.output_schema)),
        *_order_difference(theirs.output_schema, ours.output_schema),
    ]


def _input_differences(theirs: Sequence[InputIdentity], ours: Sequence[InputIdentity]) -> list[str]:
    before = {identity.key: identity for identity in theirs}
    after = {identity.key: identity for identity in ours}
    return [
        *_counted("input file added", [key for key in after if key not in before]),
        *_counted("input file removed", [key for key in before if key not in after]),
        *_counted(
            "input file changed",
            [key for key in after if key in before and after[key] != before[key]],
        ),
    ]


def _model_differences(theirs: ModelIdentity, ours: ModelIdentity) -> list[str]:
    before, after = f"{theirs.name}@{theirs.version}", f"{ours.name}@{ours.version}"
    if before != after:
        return [f"model {before} → {after}"]
    return _changed(f"digest of model {after}", theirs.digest, ours.digest)


def _mapping_differences(theirs: Mapping[str, Any], ours: Mapping[str, Any]) -> list[str]:
    keys = [key for key in sorted({*theirs, *ours}) if theirs.get(key) != ours.get(key)]
    told = [
        f"mapping of {key}: {_short(theirs.get(key))} → {_short(ours.get(key))}"
        for key in keys[:SHOWN_DIFFERENCES]
    ]
    rest = len(keys) - len(told)
    return [*told, f"{rest} more differences of the mapping"] if rest else told


def _schema_differences(theirs: Mapping[str, str], ours: Mapping[str, str]) -> list[str]:
    return [
        *_counted("output column added", [name for name in ours if name not in theirs]),
        *_counted("output column removed", [name for name in theirs if name not in ours]),
        *_counted(
            "output column retyped",
            [
                f"{name} ({theirs[name]} → {ours[name]})"
                for name in ours
                if name in theirs and theirs[name] != ours[name]
            ],
        ),
    ]


def _order_difference(
    theirs: Sequence[tuple[str, str]], ours: Sequence[tuple[str, str]]
) -> list[str]:
    reordered = theirs != ours and sorted(theirs) == sorted(ours)
    return ["order of the output columns"] if reordered else []


def _changed(what: str, before: str, after: str) -> list[str]:
    return [] if before == after else [f"{what} {before} → {after}"]


def _counted(what: str, names: Sequence[str]) -> list[str]:
    """Name one, or count them and name the first few."""
    if not names:
        return []
    shown = ", ".join(names[:SHOWN_DIFFERENCES])
    if len(names) == 1:
        return [f"{what}: {shown}"]
    more = ", …" if len(names) > SHOWN_DIFFERENCES else ""
    noun, _, verb = what.rpartition(" ")
    return [f"{len(names)} {noun}s {verb}: {shown}{more}"]


def _short(value: object) -> str:
    text = "nothing" if value is None else json.dumps(value, sort_keys=True)
    return text if len(text) <= 60 else f"{text[:59]}…"


def _sha256(value: object) -> str:
    canonical = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=True)
    return hashlib.sha256(canonical.encode()).hexdigest()
