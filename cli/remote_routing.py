"""Ask a running API for routes, in the words of the registry."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from cli.api_client import Api, ApiRefused
from registry.routes import WHOLE, Route, Share

_HUNDREDTHS = WHOLE // 100
_NOT_FOUND = 404


class RemoteRouting:
    """What `nightshift models route` needs, asked of an API: see `registry.routing.Routing`.

    Raises `ApiAway`, `ApiRefused`.
    """

    def __init__(self, api: Api) -> None:
        self._api = api

    def route(self, model: str, alias: str) -> Route | None:
        """Return the alias's route, or None."""
        try:
            return _route_of(self._api.get(_path(model, alias)))
        except ApiRefused as refused:
            if refused.status != _NOT_FOUND:
                raise
        self._api.get(f"/v1/models/{model}/aliases/{alias}")
        return None

    def set_route(
        self,
        model: str,
        alias: str,
        *,
        canaries: Sequence[Share],
        shadow: Share | None,
        by: str = "",
        why: str = "",
        if_revision: int | None = None,
    ) -> Route:
        """Split the alias's requests, from the split that is at `if_revision`, 0 for none."""
        seen = {"If_Match": f'"{if_revision}"'} if if_revision else {"If_None_Match": "*"}
        body = {
            "canaries": [_told(canary) for canary in canaries],
            "shadow": _told(shadow) if shadow else None,
            "why": why,
        }
        return _route_of(self._api.put(_path(model, alias), body, **seen))

    def clear_route(
        self,
        model: str,
        alias: str,
        *,
        by: str = "",
        why: str = "",
        if_revision: int | None = None,
    ) -> None:
        """Let the alias's version answer everything again."""
        if self.route(model, alias) is not None:
            self._api.delete(_path(model, alias), why=why)


def _path(model: str, alias: str) -> str:
    return f"/v1/models/{model}/aliases/{alias}/route"


def _told(share: Share) -> dict[str, Any]:
    return {"version": share.version, "percent": share.share / _HUNDREDTHS}


def _route_of(told: dict[str, Any]) -> Route:
    shadow = told["shadow"]
    return Route(
        model=told["model"],
        alias=told["alias"],
        canaries=tuple(_share(each) for each in told["canaries"]),
        shadow=_share(shadow) if shadow else None,
        changed_at=datetime.fromisoformat(told["changed_at"]),
        changed_by=told["changed_by"],
        revision=told["revision"],
    )


def _share(told: dict[str, Any]) -> Share:
    return Share(told["version"], round(told["percent"] * _HUNDREDTHS))
