"""Find the store that an address lies in, before anything is asked of it."""

import os

from flows.shards.errors import BadUri
from flows.shards.settings import S3Settings
from inference.store_settings import stores_of
from inference.stores import Place, PlaceRefused, Stores


def admitted(uri: str, settings: S3Settings) -> S3Settings:
    """Return how the store at `uri` is reached; any address will do where no store is configured.

    What is returned admits all addresses: it is for this one. Raises `BadUri` for an address
    outside, also where a symbolic link leads there.
    """
    if not settings.stores:
        return settings
    try:
        place = stores_of(settings.stores).place(uri)
        _check_links(place, settings)
    except PlaceRefused as error:
        raise BadUri(uri, str(error)) from error
    given = settings.stores[place.store].model_dump(exclude={"prefixes"}, exclude_none=True)
    return settings.model_copy(update={**given, "stores": {}})


def _check_links(place: Place, settings: S3Settings) -> None:
    """Raise `PlaceRefused` where a symbolic link leads out of the store."""
    if place.uri.startswith("/"):
        prefixes = settings.stores[place.store].prefixes
        real = [os.path.realpath(prefix) for prefix in prefixes if prefix.startswith("/")]
        Stores({place.store: real}).place(os.path.realpath(place.root))
