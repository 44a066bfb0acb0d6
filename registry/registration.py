"""Check what is to become a version of a model, without I/O."""

import hashlib
import json
import re

from registry.domain import ModelVersion, check_name
from registry.errors import InvalidRegistration

_DIGEST = re.compile(r"(metadata-)?sha256:[0-9a-f]{64}")


def content_digest(version: ModelVersion) -> str:
    """Return the sha256 of what makes two registrations the same version.

    Where no artifact's bytes are known, the place that serves the model belongs to it: two models
    with the same metadata may differ in their weights.
    """
    identity: dict[str, object] = {
        "digest": version.digest,
        "inputs": [[s.name, s.datatype, s.shape] for s in version.signature.inputs],
        "outputs": [[s.name, s.datatype, s.shape] for s in version.signature.outputs],
        "max_batch_size": version.signature.max_batch_size,
        "columns": version.columns,
    }
    if not version.digest.startswith("sha256:"):
        identity["served"] = [version.served_name, version.served_version]
    text = json.dumps(identity, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


def check_version(version: ModelVersion) -> None:
    """Raise `InvalidName` or `InvalidRegistration` for what cannot become a version."""
    check_name(version.name, "model")
    who = f"model {version.name!r}"
    if not _DIGEST.fullmatch(version.digest):
        raise InvalidRegistration(
            f"{who}: digest {version.digest!r} is not 'sha256:' or 'metadata-sha256:' followed by "
            "64 hexadecimal digits"
        )
    if not version.served_name or not version.served_version.isdecimal():
        raise InvalidRegistration(
            f"{who}: Triton cannot serve {version.served_name!r} version "
            f"{version.served_version!r}: give a model name and a version number"
        )
    for kind, specs in (("input", version.signature.inputs), ("output", version.signature.outputs)):
        names = [spec.name for spec in specs]
        if not names or len(set(names)) != len(names):
            raise InvalidRegistration(
                f"{who}: its {kind}s are {names}: at least one is needed, each with its own name"
            )
    for name, columns in version.columns.items():
        _check_columns(version, name, columns)


def _check_columns(version: ModelVersion, name: str, columns: tuple[str, ...]) -> None:
    who = f"model {version.name!r}"
    inputs = {spec.name: spec for spec in version.signature.inputs}
    if name not in inputs:
        raise InvalidRegistration(
            f"{who} has no input {name!r} to feed columns to; its inputs: {', '.join(inputs)}"
        )
    if not columns or not all(columns):
        raise InvalidRegistration(f"{who}: input {name!r} needs at least one named column")
    spec = inputs[name]
    stacked = len(columns) > 1
    fits = len(spec.row_shape) == 1 and spec.row_shape[0] in (-1, len(columns))
    if stacked and not fits:
        raise InvalidRegistration(
            f"{who}: {len(columns)} columns cannot feed input {spec}: name as many as a row of it "
            "has values, or one list column"
        )
