"""Tell whoever keeps copies that something was changed."""

from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager

from registry.errors import RegistryUnavailable
from registry.port import Rows, Store


def telling(
    store: Store, changed: Callable[[str], None], *scopes: str
) -> AbstractContextManager[Rows]:
    """Open a transaction that may change rows, and tell each of `scopes` after its commit.

    They are told as well when the acknowledgement of the commit was lost: it may have taken place.
    """
    return telling_all(store, changed, scopes)


@contextmanager
def telling_all(
    store: Store, changed: Callable[[str], None], scopes: Iterable[str]
) -> Iterator[Rows]:
    """Do as `telling`, with the scopes that are there when the transaction ends."""
    try:
        with store.writing() as rows:
            yield rows
    except RegistryUnavailable:
        _tell(changed, scopes)
        raise
    _tell(changed, scopes)


def _tell(changed: Callable[[str], None], scopes: Iterable[str]) -> None:
    for scope in dict.fromkeys(scopes):
        changed(scope)
