"""Say what a place for objects must do, whichever store is behind it.

A local folder and S3 stand behind the same port. The one promise that exactly-once output needs
is `put_if_absent`: an object appears whole, under a name that nothing had, or not at all. A store
that ignores the condition (`probe` finds out) overwrites instead. What the names guarantee
still holds there: a shard has one part, whole, with the same rows. Weaker is that a
late attempt can replace a committed part with its own copy, also after publication, so that the
manifest may name the quarantine object and ETag of the earlier copy; and that two different jobs
started at the same instant on one output may both believe to hold it.
"""

import uuid
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, Protocol
from urllib.parse import unquote, urlsplit

from flows.shards.admission import admitted
from flows.shards.errors import BadUri, NoSuchObject, StoreDenied, StoreUnavailable
from flows.shards.settings import S3Settings

PROBE_PREFIX = "_probe-"
"""Names of the objects that `probe` writes; a killed probe leaves one."""

_S3_FORBIDDEN = frozenset("\\?#")
_S3_BUCKET_FORBIDDEN = frozenset("@:%")


@dataclass(frozen=True, slots=True)
class ObjectInfo:
    """What a store tells of an object without reading it."""

    key: str
    """Path below the store's root, with `/`."""
    size: int
    """Bytes."""
    etag: str
    """Identity of the content: another content has another one."""


@dataclass(frozen=True, slots=True)
class Tail:
    """The end of an object, with what it was the end of, from one answer."""

    data: bytes
    """The last bytes, all of them when the object is shorter than was asked for."""
    info: ObjectInfo
    """The object that they were read from."""


@dataclass(frozen=True, slots=True)
class StoreProbe:
    """What a store turned out to do."""

    writable: bool
    """Objects can be created and removed."""
    conditional_writes: bool
    """A second `put_if_absent` of a name is refused."""
    detail: str = ""
    """Why it is not writable, in the store's words."""


class ObjectStore(Protocol):
    """Objects below one root. Synchronous, safe to call from several threads.

    Every method raises `StoreDenied` when the store refuses and `StoreUnavailable` when it does
    not answer.
    """

    @property
    def uri(self) -> str:
        """The root's address, without a slash at its end."""

    def root_exists(self) -> bool:
        """Whether the root is there although nothing may lie below it.

        A prefix of S3 exists by its objects alone, a bucket by itself.
        """

    def list(self, prefix: str = "") -> list[ObjectInfo]:
        """List the objects whose key begins with `prefix`, by key, never from a cache."""

    def stat(self, key: str) -> ObjectInfo | None:
        """Describe an object, never from a cache; None when it is not there."""

    def open(self, key: str, etag: str | None = None) -> BinaryIO | Any:
        """Open an object for random reads.

        Raises `InputChanged` when `etag` is given and the object is another one, now or at a later
        read; `NoSuchObject` when it is not there.
        """

    def read(self, key: str) -> bytes:
        """Return an object's bytes; raises `NoSuchObject`."""

    def read_tail(self, key: str, max_bytes: int) -> Tail:
        """Return at most the last `max_bytes` bytes of an object; raises `NoSuchObject`."""

    def put_if_absent(self, key: str, source: bytes | Path) -> bool:
        """Create an object whole; False when the name is taken.

        Safe to repeat. Raises `AmbiguousPut` when it may have happened. False may also follow a
        success whose answer was lost, so the caller reads back who won.
        """

    def replace(self, key: str, data: bytes, *, if_etag: str | None) -> bool:
        """Overwrite an object whole; False when `if_etag` is given and is not its ETag.

        Raises `AmbiguousPut` when it may have happened.
        """

    def delete(self, key: str) -> None:
        """Remove an object; nothing happens when it is not there."""

    def scratch_folder(self, top: Path | None = None) -> Path:
        """A folder below `top` in which to build what is put; made when it is not there.

        Without `top` it lies where putting is cheapest. It is this store's own, until
        `clear_scratch`.
        """

    def clear_scratch(self) -> None:
        """Remove such folders with those of dead writers; writers that live keep theirs."""

    def probe(self) -> StoreProbe:
        """Find out, by writing, whether the store can be written and honours conditions."""


def probe_store(store: ObjectStore) -> StoreProbe:
    """Write one small object twice under a new name, then remove it.

    Never raises a store's error: that the store cannot be written is the answer.
    """
    key = f"{PROBE_PREFIX}{uuid.uuid4().hex}"
    try:
        store.put_if_absent(key, b"first")
        overwritten = store.put_if_absent(key, b"second")
        store.delete(key)
    except NoSuchObject:
        what = "there is no such bucket" if "://" in store.uri else "no folder can be made there"
        return StoreProbe(False, False, what)
    except (StoreDenied, StoreUnavailable) as error:
        return StoreProbe(False, False, error.detail)
    return StoreProbe(writable=True, conditional_writes=not overwritten)


def open_store(uri: str, settings: S3Settings, *, inputs: bool = False) -> ObjectStore:
    """Open the store that holds what lies below `uri`; nothing needs to be there yet.

    With `inputs` local files have an identity that tells more of what was done to them; see
    `LocalStore`.

    Takes a local path, `file:///folder` or `s3://bucket/prefix`, and nothing else: addresses
    come from requests, and libraries that are handed one whole would follow what is hidden in it.
    Raises `BadUri`.
    """
    settings = admitted(uri, settings)
    if "\0" in uri or not uri.strip():
        raise BadUri(uri, "it is empty or holds a zero byte")
    scheme, separator, rest = uri.partition("://")
    if not separator:
        return _open_local(Path(uri), inputs)
    if scheme == "file":
        return _open_local(_file_path(uri), inputs)
    if scheme != "s3":
        raise BadUri(uri, f"no store is known for {scheme}://")
    bucket, _, prefix = rest.partition("/")
    steps = prefix.rstrip("/").split("/")
    if not bucket or {"", ".", ".."} & set(steps[:-1]) or steps[-1] in {".", ".."}:
        raise BadUri(uri, "it must name a bucket, then a prefix without empty or '..' steps")
    if _S3_FORBIDDEN & set(uri) or _S3_BUCKET_FORBIDDEN & set(bucket) or "::" in uri:
        raise BadUri(uri, "the bucket or prefix holds a character that is not allowed")
    # Importing s3fs takes most of a second, which a local run need not pay.
    from flows.shards.object_store_s3 import S3Store

    return S3Store(bucket, "/".join(steps), settings)


def _open_local(root: Path, inputs: bool) -> ObjectStore:
    from flows.shards.object_store_local import LocalStore

    return LocalStore(root, inputs=inputs)


def _file_path(uri: str) -> Path:
    parts = urlsplit(uri)
    if parts.netloc not in {"", "localhost"} or parts.query or parts.fragment:
        raise BadUri(uri, "a file address has neither host nor query")
    return Path(unquote(parts.path))
