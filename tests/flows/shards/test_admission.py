"""Stores are asked for nothing outside of what is configured."""

import select
import socket
import threading
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from pydantic import SecretStr

from flows.shards.admission import admitted
from flows.shards.dataset import open_dataset
from flows.shards.errors import BadUri
from flows.shards.object_store import open_store
from flows.shards.settings import S3Settings, ShardSettings
from inference.store_settings import StoreSettings
from tests.inference.forged_addresses import ALLOWED, TRAVERSALS, ssrf

_SECRET = SecretStr("secret")


class Canary:
    """Knows whether somebody connected to it."""

    def __init__(self, listener: socket.socket) -> None:
        host, port = listener.getsockname()
        self.address = f"{host}:{port}"
        self._listener = listener

    @property
    def sings(self) -> bool:
        """Whether a connection waits: the system takes it before anybody accepts it."""
        return bool(select.select([self._listener], [], [], 0)[0])

    def take_one(self) -> None:
        """Wait for a connection, then be gone."""
        self._listener.accept()[0].close()
        self._listener.close()


@pytest.fixture
def canary() -> Iterator[Canary]:
    """A listener on this machine; everything that the test opens would lead to it."""
    with closing(socket.create_server(("127.0.0.1", 0))) as listener:
        yield Canary(listener)


def _settings(endpoint: str, *prefixes: str) -> S3Settings:
    store = StoreSettings(
        prefixes=prefixes, endpoint_url=f"http://{endpoint}", access_key="k", secret_key=_SECRET
    )
    return S3Settings(stores={"lake": store}, tries=1, region="night")


def test_no_forged_address_is_asked_for_anything(canary: Canary) -> None:
    """Sixty addresses, each as dataset and as output, with the canary's as S3's own endpoint."""
    settings = _settings(canary.address, ALLOWED, "/srv/lake/")
    for uri in (*ssrf(canary.address), *TRAVERSALS):
        with pytest.raises(BadUri):
            open_dataset(uri, settings, ShardSettings())
        with pytest.raises(BadUri):
            open_store(uri, settings)
    assert not canary.sings
    # What is inside does ask it.
    heard = threading.Thread(target=canary.take_one, daemon=True)
    heard.start()
    assert not open_store("s3://lake/flights/", settings).probe().writable
    heard.join(timeout=60)
    assert not heard.is_alive()


def test_a_store_brings_its_own_settings() -> None:
    """What it does not say is as for all; an address is admitted once."""
    settings = _settings("store:9000", ALLOWED)
    found = admitted("s3://lake/flights/x", settings)
    assert (found.endpoint_url, found.access_key, found.region) == (
        "http://store:9000",
        "k",
        "night",
    )
    assert admitted("s3://elsewhere/x", found) == found
    with pytest.raises(BadUri, match=r"it lies outside of the stores: .* s3://lake/flights/"):
        admitted("s3://elsewhere/x", settings)


def test_without_stores_every_address_will_do() -> None:
    """A person's own machine asks nobody."""
    assert admitted("relative/path", S3Settings()) == S3Settings()


def test_a_link_does_not_lead_out(tmp_path: Path) -> None:
    """Neither as dataset nor as output; a store that is itself a link is the place it leads to."""
    (tmp_path / "secret").mkdir()
    (tmp_path / "real").mkdir()
    (tmp_path / "real" / "out").symlink_to(tmp_path / "secret")
    (tmp_path / "lake").symlink_to(tmp_path / "real")
    settings = _settings("store:9000", f"{tmp_path}/lake/")
    with pytest.raises(BadUri, match="outside of the stores"):
        open_store(f"{tmp_path}/lake/out/x", settings)
    open_store(f"{tmp_path}/lake/x", settings)
