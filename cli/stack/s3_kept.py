"""Keep the objects of moto's S3 in a folder, one file for each.

A file has a line of JSON, then the object's bytes; it is renamed to its place whole, before the
request that wrote the object is answered. What is not kept: uploads under way, older versions of
an object, tags and permissions.
"""

import hashlib
import json
import tempfile
from datetime import datetime
from pathlib import Path
from typing import Any

from moto.core.models import DEFAULT_ACCOUNT_ID
from moto.s3.models import FakeKey, S3Backend, s3_backends

_REGION = "us-east-1"
_CHECKSUMS = ("checksum_algorithm", "checksum_value", "checksum_type", "checksum_parts")


class KeptObjects:
    """What lies in the folder, as it is in the server that runs in this process."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._written: dict[str, dict[str, FakeKey]] = {}

    @property
    def _backend(self) -> S3Backend:
        return s3_backends[DEFAULT_ACCOUNT_ID]["aws"]

    def load(self) -> None:
        """Give the server everything that is kept."""
        self._folder.mkdir(parents=True, exist_ok=True)
        for bucket in sorted(path for path in self._folder.iterdir() if path.is_dir()):
            self._backend.create_bucket(bucket.name, _REGION)
            self._written[bucket.name] = {}
            for file in bucket.iterdir():
                if file.name.startswith("."):  # was being written at the end
                    file.unlink()
                    continue
                key = self._load(bucket.name, file)
                self._written[bucket.name][key.name] = key

    def follow(self, path: str) -> None:
        """Write what a request to `path`, `/bucket/key`, has changed.

        The key itself is looked at; after a request to the whole bucket, as a deletion of many
        is, every key.
        """
        name, _, key = path.removeprefix("/").partition("/")
        bucket = self._backend.buckets.get(name)
        if bucket is None:
            self._forget_bucket(name)
            return
        (self._folder / name).mkdir(exist_ok=True)
        written = self._written.setdefault(name, {})
        # WSGI gives the path's bytes as latin-1.
        known = [key.encode("latin-1").decode()] if key else [*bucket.keys, *written]
        for each in dict.fromkeys(known):
            self._follow_key(name, each, bucket.keys.get(each), written)

    def _follow_key(self, bucket: str, name: str, now: Any, written: dict[str, FakeKey]) -> None:
        # 1. The object is the one that was written: nothing to do.
        # 2. It is another one, or new: write it.
        # 3. There is none, or a mark that it was deleted: remove the file.
        if now is not None and now is written.get(name):
            return
        if isinstance(now, FakeKey):
            self._write(bucket, now)
            written[name] = now
        elif written.pop(name, None) is not None:
            self._place(bucket, name).unlink(missing_ok=True)

    def _forget_bucket(self, name: str) -> None:
        """Remove a bucket that is gone; it was empty."""
        if self._written.pop(name, None) is not None:
            (self._folder / name).rmdir()

    def _place(self, bucket: str, key: str) -> Path:
        """Return the object's file: a key may be longer than a file's name."""
        return self._folder / bucket / hashlib.sha256(key.encode()).hexdigest()

    def _write(self, bucket: str, key: FakeKey) -> None:
        head = {
            "key": key.name,
            "etag": key.etag.strip('"'),
            "modified": key.last_modified.isoformat(),
            "metadata": dict(key.metadata),
            **{name: getattr(key, name) for name in _CHECKSUMS},
        }
        place = self._place(bucket, key.name)
        with tempfile.NamedTemporaryFile(dir=place.parent, prefix=".", delete=False) as file:
            file.write(json.dumps(head).encode() + b"\n")
            file.write(key.value)
        Path(file.name).rename(place)

    def _load(self, bucket: str, file: Path) -> FakeKey:
        with file.open("rb") as opened:
            head = json.loads(opened.readline())
            key = self._backend.put_object(bucket, head["key"], opened.read(), etag=head["etag"])
        key.last_modified = datetime.fromisoformat(head["modified"])
        key.set_metadata(head["metadata"])
        for name in _CHECKSUMS:
            setattr(key, name, head[name])
        return key
