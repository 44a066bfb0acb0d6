"""Read what the API tells of models, in the words of the registry."""

from collections.abc import Mapping
from dataclasses import fields
from datetime import datetime
from typing import Any

from registry.domain import Alias, Approval, Model, ModelVersion, Signature, TensorSpec
from registry.events import Event, EventKind


def model_of(told: Mapping[str, Any]) -> Model:
    """Read a model."""
    return Model(
        name=told["name"],
        description=told["description"],
        last_version=told["last_version"],
        created_at=datetime.fromisoformat(told["created_at"]),
        created_by=told["created_by"],
        tags=told["tags"],
        protected=tuple(told["protected"]),
        revision=told["revision"],
        changed_at=_time(told["changed_at"]),
    )


def version_of(told: Mapping[str, Any]) -> ModelVersion:
    """Read a version."""
    signature = told["signature"]
    return ModelVersion(
        name=told["model"],
        version=told["version"],
        signature=Signature(
            tuple(map(_spec, signature["inputs"])),
            tuple(map(_spec, signature["outputs"])),
            signature["max_batch_size"],
        ),
        digest=told["digest"],
        served_name=told["served_name"],
        served_version=str(told["served_version"]),
        columns={name: tuple(columns) for name, columns in told["columns"].items()},
        artifact=told["artifact"],
        description=told["description"],
        created_at=_time(told["created_at"]),
        created_by=told["created_by"],
        tags=told["tags"],
    )


def _spec(told: Mapping[str, Any]) -> TensorSpec:
    return TensorSpec(told["name"], told["datatype"], tuple(told["shape"]))


def alias_of(told: Mapping[str, Any]) -> Alias:
    """Read an alias."""
    moved_at = datetime.fromisoformat(told["moved_at"])
    return Alias(told["model"], told["name"], told["version"], moved_at, told["revision"])


def approval_of(told: Mapping[str, Any]) -> Approval:
    """Read an approval."""
    at = datetime.fromisoformat(told["at"])
    return Approval(told["model"], told["version"], told["by"], at, told["why"])


def event_of(told: Mapping[str, Any]) -> Event:
    """Read a line of the history; what this program does not know of it is left out."""
    known = {each.name: told[each.name] for each in fields(Event) if each.name in told}
    read = {"kind": EventKind(told["kind"]), "at": datetime.fromisoformat(told["at"])}
    return Event(**(known | read))


def _time(told: str | None) -> datetime | None:
    return None if told is None else datetime.fromisoformat(told)
