"""Say where chaos happens: a local folder, S3, or an S3 that ignores conditional writes."""

import secrets
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from cli.stack.s3 import make_bucket
from flows.shards.object_store import ObjectStore, open_store
from flows.shards.settings import S3Settings
from tests.chaos.objects import Found, read_bucket, read_folder
from tests.contracts.test_object_store import s3_settings
from tests.servers.s3 import S3Endpoint, local_s3


@dataclass(frozen=True, slots=True)
class Place:
    """An output, as every process of a test knows it."""

    root: str
    """The folder, or the bucket's address."""
    endpoint: S3Endpoint | None = None
    """The bucket; None for a folder."""
    is_careless: bool = False
    """Whether the store ignores the condition of a conditional write."""
    output: str = "scores"
    """The output's name below the root."""

    def fresh(self, name: object) -> "Place":
        """Return another output on the same store."""
        return replace(self, output=f"scores-{name}")

    def open(self, *, through: str = "", **settings: Any) -> ObjectStore:
        """Open the output as the product does; `through` is another address of the S3 server."""
        if self.endpoint is None:
            return open_store(f"{self.root}/{self.output}", S3Settings())
        changes = {"endpoint_url": through or self.endpoint.url, **settings}
        found = s3_settings(self.endpoint).model_copy(update=changes)
        return open_store(f"{self.root}/{self.output}", found)

    def objects(self) -> dict[str, Found]:
        """Take every object of the output, without the product's code; scratch is no object."""
        if self.endpoint is not None:
            return read_bucket(
                self.endpoint.url,
                self.endpoint.bucket,
                f"{self.output}/",
                aws_access_key_id=self.endpoint.access_key,
                aws_secret_access_key=self.endpoint.secret_key,
                region_name=self.endpoint.region,
            )
        found = read_folder(Path(self.root) / self.output)
        return {key: one for key, one in found.items() if not key.startswith(".")}

    def peek(self, key: str) -> bytes | None:
        """Read an object as anybody would; None when it is not there."""
        if self.endpoint is None:
            try:
                return Path(self.root, self.output, key).read_bytes()
            except FileNotFoundError:
                return None
        url = f"{self.endpoint.url}/{self.endpoint.bucket}/{self.output}/{key}"
        # moto wants somebody's signature and checks none.
        request = urllib.request.Request(url, headers={"Authorization": "AWS reader:unchecked"})
        try:
            with urllib.request.urlopen(request) as answer:
                return bytes(answer.read())
        except urllib.error.HTTPError as error:
            error.close()
            if error.code == 404:
                return None
            raise


@pytest.fixture(scope="session")
def careless_server(servers_dir: Path) -> Iterator[str]:
    """URL of an S3 server that ignores conditional writes."""
    with local_s3(servers_dir / "careless.log", careless=True) as url:
        yield url


@pytest.fixture(params=["local", "s3", "careless"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Place:
    """An empty output on each kind of store."""
    if request.param == "local":
        return Place(str(tmp_path))
    if request.param == "s3":
        endpoint: S3Endpoint = request.getfixturevalue("s3_endpoint")
        return Place(endpoint.uri, endpoint)
    server: str = request.getfixturevalue("careless_server")
    endpoint = S3Endpoint(server, f"careless-{secrets.token_hex(8)}")
    make_bucket(endpoint.url, endpoint.bucket)
    return Place(endpoint.uri, endpoint, is_careless=True)
