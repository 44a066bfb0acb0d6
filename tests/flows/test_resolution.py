"""A job is pinned to the version that was registered, as far as the servers tell."""

import pytest

from flows.resolution import METADATA_DIGEST, resolve
from inference.errors import SignatureMismatch
from inference.pool import Pool
from inference.settings import InferenceSettings
from registry.catalog import Catalog
from tests.contracts.memory_store import MemoryStore
from tests.inference.scripted import DOUBLES, ScriptedServer


def registered(digest: str) -> Catalog:
    """A registry in which faulty@1 has that digest."""
    catalog = Catalog(MemoryStore())
    catalog.register(
        "faulty",
        signature=DOUBLES.signature,
        digest=digest,
        served_name="faulty",
        served_version="1",
    )
    return catalog


async def test_what_the_servers_say_is_compared() -> None:
    """A version that is known by their word alone must still be what they say."""
    server = ScriptedServer("grpc://one:1")
    settings = InferenceSettings(triton_urls=(server.url,))
    said = await server.metadata_digest("faulty", "1")
    assert said.startswith(METADATA_DIGEST)
    other = f"{METADATA_DIGEST}{'0' * 64}"
    async with Pool([server], settings) as pool:
        version = await resolve("faulty@1", registered(said), pool, wait_s=0)
        assert version.digest == said
        version = await resolve("faulty@1", registered(f"sha256:{'0' * 64}"), pool, wait_s=0)
        assert version.digest == f"sha256:{'0' * 64}"
        with pytest.raises(SignatureMismatch) as caught:
            await resolve("faulty@1", registered(other), pool, wait_s=0)
    assert str(caught.value) == (
        "faulty@1 was registered by what the servers said of 'faulty', and they say something "
        "else now (its platform, file or parameters): serve what was registered, or register this "
        "as a new version"
    )
