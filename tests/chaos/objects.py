"""Take every object of an output at one moment, without the code that wrote them."""

from dataclasses import dataclass
from pathlib import Path

import boto3


@dataclass(frozen=True, slots=True)
class Found:
    """One object of an output."""

    data: bytes
    """All of it."""
    etag: str
    """Its identity, as the store tells it."""


def read_folder(root: Path) -> dict[str, Found]:
    """Take every file below a folder, hidden ones too; those that go meanwhile are left out."""
    found = {}
    for path in sorted(root.rglob("*")):
        try:
            if path.is_file():
                status = path.stat()
                etag = f"{status.st_mtime_ns:x}-{status.st_size:x}"
                found[str(path.relative_to(root))] = Found(path.read_bytes(), etag)
        except FileNotFoundError:
            continue
    return found


def read_bucket(url: str, bucket: str, prefix: str, **credentials: str) -> dict[str, Found]:
    """Take every object of a bucket below a prefix."""
    client = boto3.client("s3", endpoint_url=url, **credentials)
    found = {}
    for page in client.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix):
        for item in page.get("Contents", []):
            answer = client.get_object(Bucket=bucket, Key=item["Key"])
            data = answer["Body"].read()
            found[item["Key"].removeprefix(prefix)] = Found(data, answer["ETag"].strip('"'))
    client.close()
    return found
