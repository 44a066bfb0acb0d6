"""Ask a running API for what the registry holds, in the words of the catalog."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from cli.api_client import Api, ApiRefused
from cli.remote_bodies import alias_of, approval_of, event_of, model_of, version_of
from registry.domain import Alias, AliasMove, Approval, Model, ModelRef, ModelVersion
from registry.events import ALIAS_KINDS, Event, moves_of
from registry.pages import EventFilter, ModelFilter, Page, TagFilter, VersionFilter, page_of

_MODELS = "/v1/models"
_NOT_FOUND = 404
_ALL_MODELS, _ALL_VERSIONS = ModelFilter(), VersionFilter()


class RemoteCatalog:
    """What `nightshift models` needs of the catalog, asked of an API.

    Its methods are those of `registry.catalog.Catalog`. Who does something is whom the token
    names, so `by` is left out of account. Raises `ApiAway`, `ApiRefused`.
    """

    def __init__(self, api: Api) -> None:
        self._api = api

    def model(self, name: str) -> Model:
        """Return the model."""
        return model_of(self._api.get(f"{_MODELS}/{name}"))

    def models(
        self, wanted: ModelFilter = _ALL_MODELS, *, limit: int | None = None
    ) -> Page[Model, str]:
        """Return models, by name."""
        query = {
            "prefix": wanted.prefix,
            "tag": _tag(wanted.tag),
            "created_by": wanted.created_by,
        }
        found = tuple(map(model_of, self._api.items(_MODELS, limit=_one_more(limit), **query)))
        return page_of(found, limit, lambda model: model.name)

    def versions(
        self, name: str, wanted: VersionFilter = _ALL_VERSIONS, *, limit: int | None = None
    ) -> Page[ModelVersion, int]:
        """Return versions of the model, newest first."""
        path = f"{_MODELS}/{name}/versions"
        query = {"tag": _tag(wanted.tag), "created_by": wanted.created_by}
        found = tuple(map(version_of, self._api.items(path, limit=_one_more(limit), **query)))
        return page_of(found, limit, lambda version: version.version)

    def aliases(self, name: str) -> Page[Alias, str]:
        """Return every alias of the model, by name."""
        return Page(tuple(map(alias_of, self._api.items(f"{_MODELS}/{name}/aliases"))), None)

    def approvals(self, name: str, number: int) -> tuple[Approval, ...]:
        """Return who approved the version, by name."""
        path = f"{_MODELS}/{name}/versions/{number}/approvals"
        return tuple(map(approval_of, self._api.get(path)["items"]))

    def alias_at(self, name: str, alias: str, when: datetime) -> Event | None:
        """Return the event that left the alias where it was at that moment, or None."""
        wanted = EventFilter(model=name, alias=alias, kinds=ALIAS_KINDS, until=when)
        found = self.events(wanted, limit=1).items
        return found[0] if found else None

    def events(self, wanted: EventFilter, *, limit: int | None = None) -> Page[Event, int]:
        """Return what happened to the model that is named in `wanted`, newest first."""
        query = {
            "kind": list(wanted.kinds),
            "alias": wanted.alias,
            "version": wanted.version,
            "by": wanted.by,
            "since": wanted.since and wanted.since.isoformat(),
            "until": wanted.until and wanted.until.isoformat(),
        }
        path = f"{_MODELS}/{wanted.model}/events"
        found = tuple(map(event_of, self._api.items(path, limit=_one_more(limit), **query)))
        return page_of(found, limit, lambda event: event.id)

    def moves(
        self, name: str, alias: str | None = None, *, limit: int | None = None
    ) -> tuple[AliasMove, ...]:
        """Return who moved the alias (or any alias), newest first."""
        wanted = EventFilter(model=name, alias=alias, kinds=ALIAS_KINDS[:1])
        return moves_of(self.events(wanted, limit=limit).items)

    def resolve(self, ref: ModelRef) -> ModelVersion:
        """Return the version that `ref` means now."""
        number = ref.version
        if ref.alias is not None:
            number = self._api.get(f"{_MODELS}/{ref.name}/aliases/{ref.alias}")["version"]
        return version_of(self._api.get(f"{_MODELS}/{ref.name}/versions/{number}"))

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
        tags: Mapping[str, str] | None = None,
    ) -> ModelVersion:
        """Add a version, of which the servers of the pool `default` say what it takes."""
        draft = {
            "served_name": served_name,
            "served_version": int(served_version),
            "columns": {key: list(value) for key, value in columns.items()},
            "digest": digest,
            "artifact": artifact,
            "description": description,
            "tags": dict(tags or {}),
        }
        return version_of(self._api.create(f"{_MODELS}/{name}/versions", draft))

    def change_model(
        self,
        name: str,
        *,
        description: str | None = None,
        tags: Mapping[str, str],
        by: str = "",
        why: str = "",
        if_revision: int,
    ) -> Model:
        """Change the model's description, unless it is None, and all of its tags."""
        path = f"{_MODELS}/{name}"
        gone = dict.fromkeys(self.model(name).tags)
        patch: dict[str, Any] = {"tags": gone | dict(tags)}
        if description is not None:
            patch["description"] = description
        return model_of(self._api.patch(path, patch, if_match=f'"{if_revision}"', why=why))

    def delete_model(self, name: str, *, by: str = "", why: str = "") -> None:
        """Take the model with all its versions away."""
        self._api.delete(f"{_MODELS}/{name}", why=why)

    def delete_version(self, name: str, number: int, *, by: str = "", why: str = "") -> None:
        """Take the version away."""
        self._api.delete(f"{_MODELS}/{name}/versions/{number}", why=why)

    def approve(self, name: str, number: int, *, by: str = "", why: str = "") -> Approval:
        """Write down that whom the token names found the version fit to go live."""
        path = f"{_MODELS}/{name}/versions/{number}/approvals"
        return approval_of(self._api.create(path, {"why": why}))

    def set_alias(
        self,
        name: str,
        alias: str,
        version: int,
        *,
        by: str = "",
        why: str = "",
        from_version: int | None = None,
    ) -> Alias:
        """Point the alias to the version, from `from_version` or else from wherever it is now."""
        path, body = f"{_MODELS}/{name}/aliases/{alias}", {"version": version, "why": why}
        if from_version is not None:
            return alias_of(self._api.put(path, body | {"from_version": from_version}))
        try:
            seen = {"If_Match": self._api.tag(path)}
        except ApiRefused as refused:
            if refused.status != _NOT_FOUND:
                raise
            seen = {"If_None_Match": "*"}
        return alias_of(self._api.put(path, body, **seen))

    def delete_alias(self, name: str, alias: str, *, by: str = "", why: str = "") -> None:
        """Take the alias away."""
        self._api.delete(f"{_MODELS}/{name}/aliases/{alias}", why=why)

    def protect_alias(
        self, name: str, alias: str, *, protected: bool, by: str = "", why: str = ""
    ) -> Model:
        """Let the alias go to approved versions only, or to any again."""
        path = f"{_MODELS}/{name}/aliases/{alias}/protection"
        if protected:
            return model_of(self._api.put(path, why=why, If_Match="*"))
        return model_of(self._api.delete(path, why=why))


def _tag(wanted: TagFilter | None) -> str | None:
    if wanted is None or wanted.value is None:
        return wanted.key if wanted else None
    return f"{wanted.key}:{wanted.value}"


def _one_more(limit: int | None) -> int | None:
    return None if limit is None else limit + 1
