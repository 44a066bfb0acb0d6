"""LocalTriton: a real server that is there when asked for and gone afterwards."""

from pathlib import Path

import pytest

from cli.stack.triton import LocalTriton
from tests.servers.s3 import S3Endpoint


def test_serves_models(triton: LocalTriton) -> None:
    """The models of the repository are ready once the server is started."""
    assert triton.ready("linear")
    assert not triton.ready("absent")


def test_s3(s3_endpoint: S3Endpoint) -> None:
    """x."""
    import s3fs

    fs = s3fs.S3FileSystem(key="a", secret="b", endpoint_url=s3_endpoint.url)
    fs.pipe_file(s3_endpoint.bucket + "/a", b"1" * 10000000, mode="create")
    with pytest.raises(FileExistsError):
        fs.pipe_file(s3_endpoint.bucket + "/a", b"12", mode="create")
    assert fs.cat(s3_endpoint.bucket + "/a")[:5] == b"11111"
