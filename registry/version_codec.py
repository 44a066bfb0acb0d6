"""Write versions as JSON and read them back, believing nothing."""

import json
from collections.abc import Mapping
from dataclasses import asdict
from datetime import datetime
from typing import Any, TypeVar

from registry.domain import ModelVersion, Signature, TensorSpec

T = TypeVar("T")


class Malformed(ValueError):
    """JSON that is not what it should be."""


def encode_version(version: ModelVersion) -> dict[str, Any]:
    """Return what JSON can hold of the version: all of it."""
    at = version.created_at
    return asdict(version) | {"created_at": None if at is None else at.isoformat()}


def decode_version(said: object) -> ModelVersion:
    """Return the version; raises `Malformed` unless it has every field, each of its type."""
    given = typed(said, dict)
    created_at = given.get("created_at")
    try:
        return ModelVersion(
            name=typed(given["name"], str),
            version=typed(given["version"], int),
            signature=_signature(typed(given["signature"], dict)),
            digest=typed(given["digest"], str),
            served_name=typed(given["served_name"], str),
            served_version=typed(given["served_version"], str),
            columns={key: _texts(value) for key, value in typed(given["columns"], dict).items()},
            artifact=None if given["artifact"] is None else typed(given["artifact"], str),
            description=typed(given["description"], str),
            created_at=None if created_at is None else _moment(created_at),
            created_by=typed(given["created_by"], str),
            tags={key: typed(value, str) for key, value in typed(given["tags"], dict).items()},
        )
    except KeyError as error:
        raise Malformed(f"no {error}") from error


def read_json(value: bytes) -> Mapping[str, Any]:
    """Return the JSON object; raises `Malformed`."""
    try:
        return typed(json.loads(value), dict)
    except (ValueError, RecursionError) as error:
        raise Malformed(str(error)) from error


def typed(value: object, kind: type[T]) -> T:
    """Return the value; raises `Malformed` unless it is exactly of that kind."""
    if type(value) is not kind:
        raise Malformed(f"{value!r:.40} is not {kind.__name__}")
    return value


def _signature(given: Mapping[str, Any]) -> Signature:
    return Signature(
        inputs=tuple(_spec(spec) for spec in typed(given["inputs"], list)),
        outputs=tuple(_spec(spec) for spec in typed(given["outputs"], list)),
        max_batch_size=typed(given["max_batch_size"], int),
    )


def _spec(said: object) -> TensorSpec:
    given = typed(said, dict)
    shape = tuple(typed(size, int) for size in typed(given["shape"], list))
    return TensorSpec(typed(given["name"], str), typed(given["datatype"], str), shape)


def _texts(said: object) -> tuple[str, ...]:
    return tuple(typed(each, str) for each in typed(said, list))


def _moment(said: object) -> datetime:
    try:
        moment = datetime.fromisoformat(typed(said, str))
    except ValueError as error:
        raise Malformed(str(error)) from error
    if moment.tzinfo is None:
        raise Malformed(f"{said} has no zone")
    return moment
