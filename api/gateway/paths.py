"""Name paths that are treated differently."""

from collections.abc import Collection


class PathSet:
    """Paths, and prefixes that end with `/`."""

    def __init__(self, paths: Collection[str]) -> None:
        self._paths = frozenset(path for path in paths if not path.endswith("/"))
        self._prefixes = tuple(path for path in paths if path.endswith("/"))

    def __contains__(self, path: str) -> bool:
        return path in self._paths or path.startswith(self._prefixes)
