"""Say where datasets may lie: an address outside the configured stores is refused, unread."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

_BUCKET = re.compile(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]")
"""S3's own rule for names of buckets."""
_FORBIDDEN = re.compile(r"[\x00-\x1f\x7f-\x9f\\?#]|::|%(?:00|2[ef]|5c)", re.IGNORECASE)
"""What libraries read as something else than a name: queries, chains, escapes of `.`, `/`, `\\`."""
_MOST_CHARS = 1024
"""Longest key that S3 takes."""


class PlaceRefused(ValueError):
    """An address at which no dataset may lie. The words do not repeat it: it may hold anything."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where a dataset lies, read by us and not by a library."""

    store: str
    """Name of the store that holds it."""
    uri: str
    """`s3://bucket/key` or an absolute path, with the slash at its end where one was given."""

    @property
    def root(self) -> str:
        """The address without a slash at its end."""
        return self.uri.rstrip("/")


class Stores:
    """The configured stores, by name, each with the addresses that it may be asked for."""

    def __init__(self, prefixes: Mapping[str, Sequence[str]]) -> None:
        """Raises `PlaceRefused` for a prefix that is not an address itself."""
        self._prefixes = [
            (canonical(prefix).rstrip("/"), name)
            for name, several in prefixes.items()
            for prefix in several
        ]
        self._prefixes.sort(key=lambda each: len(each[0]), reverse=True)

    def place(self, uri: str) -> Place:
        """Return where `uri` lies; the longest prefix that holds it decides the store.

        Raises `PlaceRefused`.
        """
        if not self._prefixes:
            raise PlaceRefused(
                "no store is configured: name where datasets may lie with NIGHTSHIFT_STORES"
            )
        told = canonical(uri)
        root = told.rstrip("/")
        for prefix, name in self._prefixes:
            if root == prefix or root.startswith(f"{prefix}/"):
                return Place(name, told)
        allowed = ", ".join(sorted(f"{prefix}/" for prefix, _ in self._prefixes))
        raise PlaceRefused(f"it lies outside of the stores: write to or read from {allowed}")


def canonical(uri: str) -> str:
    """Return the one way to write `uri`: `s3://bucket/key`, or an absolute path.

    Only what we read ourselves passes: a library that is handed an address whole would follow
    what is hidden in it. Raises `PlaceRefused`.
    """
    if len(uri) > _MOST_CHARS or _FORBIDDEN.search(uri) or uri != uri.strip():
        raise PlaceRefused(
            f"it is longer than {_MOST_CHARS} characters or holds one that is not allowed: no "
            "control characters, no \\ ? # :: nor escaped dots and slashes"
        )
    scheme, separator, rest = uri.partition("://")
    if not separator:
        return _path(uri)
    if scheme == "file":
        if "%" in rest:
            raise PlaceRefused("escapes are not read: write the plain path")
        return _path(rest)
    if scheme != "s3":
        raise PlaceRefused("only s3://BUCKET/KEY and absolute paths are known")
    bucket, _, key = rest.partition("/")
    if not _BUCKET.fullmatch(bucket) or ".." in bucket:
        raise PlaceRefused("its bucket has no name that S3 allows")
    _check_steps(key)
    return uri


def _path(path: str) -> str:
    if not path.startswith("/") or path.strip("/") == "":
        raise PlaceRefused("only s3://BUCKET/KEY and absolute paths are known")
    _check_steps(path[1:])
    return path


def _check_steps(path: str) -> None:
    if path and {"", ".", ".."} & set(path.removesuffix("/").split("/")):
        raise PlaceRefused("it has an empty step, or one of '.' or '..'")
