"""Keep objects in a bucket of S3, or of a store that speaks like it."""

from pathlib import Path
from typing import Any

import s3fs

from flows.shards.errors import AmbiguousPut, InputChanged, NoSuchObject, StoreUnavailable
from flows.shards.object_store import ObjectInfo, StoreProbe, Tail, probe_store
from flows.shards.object_store_ranges import RangeFile, get_object, get_range
from flows.shards.object_store_s3_errors import (
    ConditionFailed,
    ConditionUnknown,
    RangeUnsatisfiable,
    translated,
)
from flows.shards.scratch import ScratchFolders, temporary_scratch
from flows.shards.settings import S3Settings


class S3Store:
    """Objects below one prefix of a bucket.

    Nothing is cached. A put is one conditional request (`If-None-Match: *`); above
    `single_put_bytes` it is a multipart upload whose completion carries the condition. A killed
    writer of a large part leaves a pending upload, which no listing shows and which costs storage:
    give the bucket a lifecycle rule that ends them after a day.

    A store that answers 501 to a condition is written without one, after looking whether the name
    is taken: `probe` still tells such a store when it overwrites.
    """

    def __init__(self, bucket: str, prefix: str, settings: S3Settings) -> None:
        self._bucket = bucket
        self._root = f"{prefix}/" if prefix else ""
        self._settings = settings
        self._fs = _filesystem(settings)
        self._scratches = ScratchFolders(temporary_scratch())

    @property
    def uri(self) -> str:
        """`s3://bucket/prefix`."""
        return f"s3://{self._bucket}/{self._root}".rstrip("/")

    def root_exists(self) -> bool:
        """Whether the root is a bucket that is there; a prefix exists by its objects alone."""
        if self._root:
            return False
        try:
            with translated(self.uri):
                self._fs.call_s3("head_bucket", Bucket=self._bucket)
        except NoSuchObject:
            return False
        return True

    def list(self, prefix: str = "") -> list[ObjectInfo]:
        """List the objects whose key begins with `prefix`, by key."""
        found: list[ObjectInfo] = []
        page: dict[str, str] = {"Bucket": self._bucket, "Prefix": self._root + prefix}
        while True:
            with translated(self.uri):
                answer = self._fs.call_s3("list_objects_v2", **page)
            for item in answer.get("Contents", []):
                key = item["Key"].removeprefix(self._root)
                found.append(ObjectInfo(key, item["Size"], item["ETag"].strip('"')))
            if not answer.get("IsTruncated"):
                return sorted(found, key=lambda info: info.key)
            page["ContinuationToken"] = answer["NextContinuationToken"]

    def stat(self, key: str) -> ObjectInfo | None:
        """Describe an object; None when it is not there."""
        try:
            with translated(self._uri_of(key)):
                answer = self._fs.call_s3("head_object", **self._address(key))
        except NoSuchObject:
            return None
        return ObjectInfo(key, answer["ContentLength"], answer["ETag"].strip('"'))

    def open(self, key: str, etag: str | None = None) -> Any:
        """Open an object for random reads, each refused when the object was replaced."""
        info = self.stat(key)
        if etag is not None and (info is None or info.etag != etag):
            raise InputChanged(key, planned=etag, found=info.etag if info else None)
        if info is None:
            raise NoSuchObject(self._uri_of(key))
        return RangeFile(lambda start, stop: self._read_pinned(info, start, stop), info.size)

    def _read_pinned(self, info: ObjectInfo, start: int, stop: int) -> bytes:
        request = {**self._address(info.key), "IfMatch": f'"{info.etag}"'}
        try:
            with translated(self._uri_of(info.key)):
                return get_range(self._fs, request, start, stop, tries=self._settings.tries)
        except (ConditionFailed, NoSuchObject) as error:
            now = self.stat(info.key)
            found = now.etag if now else None
            raise InputChanged(info.key, planned=info.etag, found=found) from error

    def read(self, key: str) -> bytes:
        """Return an object's bytes; raises `NoSuchObject`."""
        with translated(self._uri_of(key)):
            return get_object(self._fs, self._address(key), tries=self._settings.tries)[0]

    def read_tail(self, key: str, max_bytes: int) -> Tail:
        """Return at most the last `max_bytes` bytes of an object, in one request."""
        request = {**self._address(key), "Range": f"bytes=-{max_bytes}"}
        try:
            with translated(self._uri_of(key)):
                data, answer = get_object(self._fs, request, tries=self._settings.tries)
        except RangeUnsatisfiable:
            # An object without bytes has no last ones.
            return Tail(b"", ObjectInfo(key, 0, ""))
        size = int(answer.get("ContentRange", f"/{len(data)}").rpartition("/")[2])
        return Tail(data, ObjectInfo(key, size, answer["ETag"].strip('"')))

    def put_if_absent(self, key: str, source: bytes | Path) -> bool:
        """Create an object whole; False when the name is taken."""
        try:
            with translated(self._uri_of(key)):
                self._create(key, source)
        except ConditionFailed:
            return False
        except ConditionUnknown:
            if self.stat(key) is not None:
                return False
            data = source.read_bytes() if isinstance(source, Path) else source
            return self._overwrite(key, data, {})
        except StoreUnavailable as error:
            raise AmbiguousPut(self._uri_of(key), str(error.__cause__)) from error
        return True

    def _create(self, key: str, source: bytes | Path) -> None:
        limit = self._settings.single_put_bytes
        if isinstance(source, Path) and source.stat().st_size >= limit:
            self._fs.put_file(
                str(source),
                f"{self._bucket}/{self._root}{key}",
                mode="create",
                chunksize=limit // 2,
                max_concurrency=self._settings.upload_threads,
            )
            return
        data = source.read_bytes() if isinstance(source, Path) else source
        self._fs.call_s3("put_object", Body=data, IfNoneMatch="*", **self._address(key))

    def replace(self, key: str, data: bytes, *, if_etag: str | None) -> bool:
        """Overwrite an object whole; False when `if_etag` is given and is not its ETag."""
        if if_etag is None:
            return self._overwrite(key, data, {})
        try:
            return self._overwrite(key, data, {"IfMatch": f'"{if_etag}"'})
        except (ConditionFailed, NoSuchObject):
            return False
        except ConditionUnknown:
            now = self.stat(key)
            return now is not None and now.etag == if_etag and self._overwrite(key, data, {})

    def _overwrite(self, key: str, data: bytes, condition: dict[str, str]) -> bool:
        try:
            with translated(self._uri_of(key)):
                self._fs.call_s3("put_object", Body=data, **condition, **self._address(key))
        except StoreUnavailable as error:
            raise AmbiguousPut(self._uri_of(key), str(error.__cause__)) from error
        return True

    def delete(self, key: str) -> None:
        """Remove an object; nothing happens when it is not there."""
        with translated(self._uri_of(key)):
            self._fs.call_s3("delete_object", **self._address(key))

    def scratch_folder(self, top: Path | None = None) -> Path:
        """A folder of this store's own, without `top` in the system's temporary folder."""
        return self._scratches.path(top)

    def clear_scratch(self) -> None:
        """Remove such folders with those of dead writers; writers that live keep theirs.

        Nothing is left in the bucket by dead writers that a listing would show.
        """
        self._scratches.clear()

    def probe(self) -> StoreProbe:
        """Find out, by writing, whether the bucket can be written and honours conditions."""
        return probe_store(self)

    def _address(self, key: str) -> dict[str, str]:
        return {"Bucket": self._bucket, "Key": self._root + key}

    def _uri_of(self, key: str) -> str:
        return f"s3://{self._bucket}/{self._root}{key}"


def _filesystem(settings: S3Settings) -> Any:
    style = settings.addressing_style
    own_endpoint = settings.endpoint_url is not None
    if style == "auto" and own_endpoint:
        style = "path"
    secret, token = settings.secret_key, settings.session_token
    fs = s3fs.S3FileSystem(
        anon=settings.anonymous,
        endpoint_url=settings.endpoint_url,
        key=settings.access_key,
        secret=secret.get_secret_value() if secret else None,
        token=token.get_secret_value() if token else None,
        client_kwargs={"region_name": settings.region} if settings.region else {},
        config_kwargs={
            "connect_timeout": settings.connect_timeout_s,
            "read_timeout": settings.read_timeout_s,
            "retries": {"mode": "standard", "total_max_attempts": settings.tries},
            "max_pool_connections": settings.connections,
            "s3": {"addressing_style": style},
            # Checksums in trailers are refused by several stores that are not AWS's.
            "request_checksum_calculation": "when_required" if own_endpoint else "when_supported",
        },
        use_listings_cache=False,
        skip_instance_cache=True,
    )
    # botocore repeats requests already; both at once would multiply.
    fs.retries = 1
    return fs
