"""Read how a path addresses a model."""

import re

from api.bodies import INVALID
from api.online.port import OnlineName
from api.problems import Refused

MODEL_PATTERN = r"^[A-Za-z0-9_.-]{1,128}(@[A-Za-z0-9_.-]{1,128})?$"
"""What stock clients send unescaped in a path; one alias may follow."""
VERSION_PATTERN = r"^[0-9]{1,9}$"

_MODEL = re.compile(MODEL_PATTERN)
_VERSION = re.compile(VERSION_PATTERN)


def name_of(model: str, version: str | None = None) -> OnlineName:
    """Return the model that `NAME`, `NAME@ALIAS` or `NAME@3` means, with the path's version."""
    name, _, target = model.partition("@")
    pinned = None if version is None else int(version)
    if target.isdecimal() and target.isascii() and pinned is None:
        return OnlineName(name, version=int(target))
    return OnlineName(name, alias=target or None, version=pinned)


def checked_name(model: str, version: str | None = None) -> OnlineName:
    """Return the same for parts of a path that nobody has checked; raises `Refused`."""
    if not _MODEL.fullmatch(model):
        raise Refused(INVALID, f"path/model: does not match {MODEL_PATTERN}")
    if version is not None and not _VERSION.fullmatch(version):
        raise Refused(INVALID, f"path/version: does not match {VERSION_PATTERN}")
    return name_of(model, version)
