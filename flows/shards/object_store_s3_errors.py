"""Say what S3 answers in the store's errors."""

from collections.abc import Iterator
from contextlib import contextmanager

from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    NoCredentialsError,
    PartialCredentialsError,
    ProfileNotFound,
)
from s3fs.core import S3_RETRYABLE_ERRORS

from flows.shards.errors import NoSuchObject, ShardError, StoreDenied, StoreUnavailable

S3_FAILURES = (OSError, BotoCoreError, ClientError, *S3_RETRYABLE_ERRORS)
"""What s3fs raises for anything that goes wrong between here and the store."""

_KEYS = "NIGHTSHIFT_S3_ACCESS_KEY and NIGHTSHIFT_S3_SECRET_KEY, or those of AWS's own tools"
_NO_IDENTITY = (NoCredentialsError, PartialCredentialsError, ProfileNotFound)
_TRANSIENT = frozenset({408, 409, 425, 429})


class ConditionFailed(ShardError):
    """412: the object is there, or is another one than the condition says."""


class ConditionUnknown(ShardError):
    """501: the store does not know the condition."""


class RangeUnsatisfiable(ShardError):
    """416: the object has no such bytes."""


@contextmanager
def translated(uri: str) -> Iterator[None]:
    """Raise what s3fs raises as this store's errors.

    `NoSuchObject` for 404, `StoreDenied` for other 4xx, the conditions' own errors above,
    `StoreUnavailable` for 5xx, conflicts, throttling and everything without an answer.
    """
    try:
        yield
    except S3_FAILURES as error:
        raise _as_store_error(uri, error) from error


def _as_store_error(uri: str, error: Exception) -> ShardError:
    status, code = _answer(error)
    if isinstance(error, FileExistsError) or status == 412:
        return ConditionFailed(uri)
    if status == 501:
        return ConditionUnknown(uri)
    if status == 416:
        return RangeUnsatisfiable(uri)
    # NoSuchUpload is about a multipart upload that was already completed or ended.
    if status == 404 and code != "NoSuchUpload":
        return NoSuchObject(uri)
    if isinstance(error, _NO_IDENTITY):
        return StoreDenied(uri, f"{error}: set {_KEYS}")
    if status is not None and 400 <= status < 500 and status not in _TRANSIENT | {404}:
        return StoreDenied(uri, f"{code}: {error}")
    return StoreUnavailable(uri, str(error) or type(error).__name__)


def _answer(error: BaseException) -> tuple[int | None, str]:
    """HTTP status and S3's code of the answer behind an error; no status when none came."""
    found: BaseException | None = error
    while found is not None and not isinstance(found, ClientError):
        found = found.__cause__
    if found is None:
        return None, ""
    response = found.response
    status = response.get("ResponseMetadata", {}).get("HTTPStatusCode")
    code = str(response.get("Error", {}).get("Code", ""))
    return (int(status) if status else int(code) if code.isdecimal() else None), code
