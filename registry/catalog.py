"""Register versions of models, move aliases and resolve what a person wrote."""

import hashlib
import json
import re
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import UTC, datetime

from registry.domain import (
    Alias,
    AliasMove,
    Model,
    ModelRef,
    ModelVersion,
    Signature,
    check_alias,
    check_name,
)
from registry.errors import InvalidRegistration, UnknownAlias, UnknownModel, UnknownVersion
from registry.port import Rows, Store

_DIGEST = re.compile(r"(metadata-)?sha256:[0-9a-f]{64}")


def utc_now() -> datetime:
    """Return the time now, in UTC."""
    return datetime.now(UTC)


class Catalog:
    """The registry's rules: what may be registered, moved and resolved."""

    def __init__(self, store: Store, *, now: Callable[[], datetime] = utc_now) -> None:
        self._store = store
        self._now = now

    def register(
        self,
        name: str,
        *,
        signature: Signature,
        digest: str,
        served_name: str,
        served_version: str,
        columns: Mapping[str, tuple[str, ...]] | None = None,
        artifact: str | None = None,
        description: str = "",
        by: str = "",
    ) -> ModelVersion:
        """Add a version of the model `name`, and the model itself if it is new.

        Safe to repeat: the same digest, signature and columns give the version that is already
        there. Numbers are counted under the model's row lock and never used twice. Raises
        `InvalidName`, `InvalidRegistration`.
        """
        now = self._now()
        version = ModelVersion(
            name=check_name(name, "model"),
            version=0,
            signature=signature,
            digest=digest,
            served_name=served_name,
            served_version=served_version,
            columns={key: tuple(value) for key, value in (columns or {}).items()},
            artifact=artifact,
            description=description,
            created_at=now,
            created_by=by,
        )
        _check(version)
        with self._store.writing() as rows:
            return _add(rows, version, now)

    def set_alias(
        self, name: str, alias: str, version: int, *, by: str = "", why: str = ""
    ) -> Alias:
        """Point `alias` to `version`, and write the move into the history.

        Safe to repeat: an alias that already points there is left alone, without a line. Raises
        `InvalidName`, `UnknownModel`, `UnknownVersion`.
        """
        check_alias(alias)
        with self._store.writing() as rows:
            if rows.lock_model(name) is None:
                raise _unknown_model(rows, name)
            _require_version(rows, name, version)
            before = rows.alias(name, alias)
            if before is not None and before.version == version:
                return before
            moved = Alias(name, alias, version, self._now())
            left = before.version if before else None
            rows.put_alias(moved)
            rows.add_move(AliasMove(name, alias, moved.moved_at, by, left, version, why))
            return moved

    def resolve(self, ref: ModelRef) -> ModelVersion:
        """Return the version that `ref` means now.

        Raises `UnknownModel`, `UnknownVersion`, `UnknownAlias`.
        """
        with self._store.reading() as rows:
            _require_model(rows, ref.name)
            if ref.alias is None:
                return _require_version(rows, ref.name, ref.version or 0)
            alias = rows.alias(ref.name, ref.alias)
            if alias is None:
                known = [known.name for known in rows.aliases(ref.name)]
                raise UnknownAlias(ref.name, ref.alias, known)
            return _require_version(rows, ref.name, alias.version)

    def model(self, name: str) -> Model:
        """Return the model; raises `UnknownModel`."""
        with self._store.reading() as rows:
            return _require_model(rows, name)

    def models(self) -> tuple[Model, ...]:
        """Return every model, by name."""
        with self._store.reading() as rows:
            return rows.models()

    def versions(self, name: str) -> tuple[ModelVersion, ...]:
        """Return the model's versions, newest first; raises `UnknownModel`."""
        with self._store.reading() as rows:
            _require_model(rows, name)
            return rows.versions(name)

    def aliases(self, name: str) -> tuple[Alias, ...]:
        """Return the model's aliases, by name; raises `UnknownModel`."""
        with self._store.reading() as rows:
            _require_model(rows, name)
            return rows.aliases(name)

    def moves(self, name: str, alias: str | None = None) -> tuple[AliasMove, ...]:
        """Return who moved the alias (or any alias), newest first; raises `UnknownModel`."""
        with self._store.reading() as rows:
            _require_model(rows, name)
            return rows.moves(name, alias)


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


def _add(rows: Rows, draft: ModelVersion, now: datetime) -> ModelVersion:
    content = content_digest(draft)
    rows.add_model(Model(draft.name, draft.description, 0, now))
    existing = rows.version_by_content(draft.name, content)
    if existing is not None:
        return existing
    version = replace(draft, version=rows.next_version(draft.name))
    rows.add_version(version, content=content)
    return version


def _check(version: ModelVersion) -> None:
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


def _require_model(rows: Rows, name: str) -> Model:
    model = rows.model(name)
    if model is None:
        raise _unknown_model(rows, name)
    return model


def _unknown_model(rows: Rows, name: str) -> UnknownModel:
    return UnknownModel(name, [model.name for model in rows.models()])


def _require_version(rows: Rows, name: str, number: int) -> ModelVersion:
    version = rows.version(name, number)
    if version is None:
        raise UnknownVersion(name, number, [known.version for known in rows.versions(name)])
    return version
