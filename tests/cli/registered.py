"""A registry with versions, for commands that need no server."""

from collections.abc import Iterator
from contextlib import contextmanager

from cli.catalog import opened_catalog
from registry.catalog import Catalog
from registry.domain import Signature, TensorSpec

SIGNATURE = Signature((TensorSpec("x", "FP32", (-1, 3)),), (TensorSpec("y", "FP32", (-1, 1)),))


@contextmanager
def registered(*, versions: int = 2, by: str = "bob") -> Iterator[Catalog]:
    """Give the working folder's catalog, in which `by` registered versions of `churn`."""
    with opened_catalog() as catalog:
        for number in range(1, versions + 1):
            catalog.register(
                "churn",
                signature=SIGNATURE,
                digest=f"sha256:{number:064x}",
                served_name=f"churn.{number}",
                served_version="1",
                by=by,
            )
        yield catalog
