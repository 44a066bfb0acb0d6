"""Tell whoever keeps copies that something was changed."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from registry.errors import RegistryUnavailable
from registry.port import Rows, Store


@contextmanager
def telling(store: Store, changed: Callable[[str], None], *scopes: str) -> Iterator[Rows]:
    """Open a transaction that may change rows, and tell each of `scopes` after its commit.

    They are told as well when the acknowledgement of the commit was lost: it may have taken place.
    """
    try:
        with store.writing() as rows:
            yield rows
    except RegistryUnavailable:
        _tell(changed, scopes)
        raise
    _tell(changed, scopes)


def _tell(changed: Callable[[str], None], scopes: tuple[str, ...]) -> None:
    for scope in scopes:
        changed(scope)
