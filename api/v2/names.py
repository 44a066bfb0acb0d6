"""Read how a path addresses a model."""

from api.online.port import OnlineName


def name_of(model: str, version: str | None = None) -> OnlineName:
    """Return the model that `NAME`, `NAME@ALIAS` or `NAME@3` means, with the path's version."""
    name, _, target = model.partition("@")
    pinned = None if version is None else int(version)
    if target.isdecimal() and target.isascii() and pinned is None:
        return OnlineName(name, version=int(target))
    return OnlineName(name, alias=target or None, version=pinned)
