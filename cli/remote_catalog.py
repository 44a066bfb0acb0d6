"""Ask a running API for what the registry holds, in the words of the catalog."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from cli.api_client import Api, ApiRefused
from registry.domain import (
    Alias,
    AliasMove,
    Model,
    ModelRef,
    ModelVersion,
    Signature,
    TensorSpec,
)
from registry.pages import Page

_MODELS = "/v1/models"
_NOT_FOUND = 404


class RemoteCatalog:
    """What `nightshift models` needs of the catalog, asked of an API.

    Who does something is whom the token names, so `by` is left out of account. Raises `ApiAway`,
    `ApiRefused`.
    """

    def __init__(self, api: Api) -> None:
        self._api = api

    def model(self, name: str) -> Model:
        """Return the model."""
        return _model(self._api.get(f"{_MODELS}/{name}"))

    def models(self) -> Page[Model, str]:
        """Return every model, by name."""
        return Page(tuple(map(_model, self._api.items(_MODELS))), None)

    def versions(self, name: str) -> Page[ModelVersion, int]:
        """Return every version of the model, newest first."""
        return Page(tuple(map(_version, self._api.items(f"{_MODELS}/{name}/versions"))), None)

    def aliases(self, name: str) -> Page[Alias, str]:
        """Return every alias of the model, by name."""
        return Page(tuple(map(_alias, self._api.items(f"{_MODELS}/{name}/aliases"))), None)

    def moves(self, name: str, alias: str | None = None) -> tuple[AliasMove, ...]:
        """Return who moved the alias (or any alias), newest first."""
        query = {"kind": "alias.moved"} | ({"alias": alias} if alias else {})
        return tuple(map(_move, self._api.items(f"{_MODELS}/{name}/events", **query)))

    def resolve(self, ref: ModelRef) -> ModelVersion:
        """Return the version that `ref` means now."""
        number = ref.version
        if ref.alias is not None:
            number = self._api.get(f"{_MODELS}/{ref.name}/aliases/{ref.alias}")["version"]
        return _version(self._api.get(f"{_MODELS}/{ref.name}/versions/{number}"))

    def set_alias(
        self, name: str, alias: str, version: int, *, by: str = "", why: str = ""
    ) -> Alias:
        """Point the alias to the version, from wherever it is now."""
        path = f"{_MODELS}/{name}/aliases/{alias}"
        try:
            seen = {"If_Match": self._api.tag(path)}
        except ApiRefused as refused:
            if refused.status != _NOT_FOUND:
                raise
            seen = {"If_None_Match": "*"}
        return _alias(self._api.put(path, {"version": version, "why": why}, **seen))

    def register(
        self,
        name: str,
        *,
        served_name: str,
        served_version: str,
        columns: Mapping[str, tuple[str, ...]],
        digest: str | None = None,
        artifact: str | None = None,
        description: str = "",
    ) -> ModelVersion:
        """Add a version, of which the servers of the pool `default` say what it takes."""
        draft = {
            "served_name": served_name,
            "served_version": int(served_version),
            "columns": {key: list(value) for key, value in columns.items()},
            "digest": digest,
            "artifact": artifact,
            "description": description,
        }
        return _version(self._api.create(f"{_MODELS}/{name}/versions", draft))


def _model(told: Mapping[str, Any]) -> Model:
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


def _version(told: Mapping[str, Any]) -> ModelVersion:
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


def _alias(told: Mapping[str, Any]) -> Alias:
    moved_at = datetime.fromisoformat(told["moved_at"])
    return Alias(told["model"], told["name"], told["version"], moved_at, told["revision"])


def _move(told: Mapping[str, Any]) -> AliasMove:
    at = datetime.fromisoformat(told["at"])
    return AliasMove(
        told["model"],
        told["alias"],
        at,
        told["by"],
        told["from_version"],
        told["version"],
        told["why"],
    )


def _time(told: str | None) -> datetime | None:
    return None if told is None else datetime.fromisoformat(told)
