"""Say in one line why a command failed, with what a person can do about it."""

import errno
import os
import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, TypeGuard

if TYPE_CHECKING:
    from pydantic import ValidationError

_REMEDIES = {
    errno.EACCES: "allow your user to use it, or choose another place",
    errno.EADDRINUSE: "choose another port, or stop the program that listens there",
    errno.ECONNREFUSED: "start the server, or correct its address",
    errno.EDQUOT: "free some of your quota, then run the command again",
    errno.EISDIR: "name a file, not a folder",
    errno.EMFILE: "raise the limit of open files (ulimit -n), then run the command again",
    errno.ENOENT: "check the path; if another program removed it, run the command again",
    errno.ENOSPC: "free some space, then run the command again",
    errno.ENOTDIR: "a part of the path is a file: choose another path",
    errno.EPERM: "allow your user to use it, or choose another place",
    errno.EROFS: "choose a place that can be written to",
}
"""What a person can do about what the operating system says."""
_FIELD = re.compile(r" \(the job's \w+\)")
"""Tells callers of the API which field an option of the command line stands for."""


def failure_words(error: BaseException) -> str | None:
    """Return one line for an error that a person can act on; None for a fault in the program."""
    from pydantic import ValidationError
    from pydantic_settings import SettingsError

    found = next((leaf for leaf in _leaves(error) if isinstance(leaf, _expected_errors())), None)
    if found is None:
        return None
    if isinstance(found, ValidationError):
        return _validation_words(found)
    if isinstance(found, SettingsError):
        return _unreadable_words(found)
    if isinstance(found, OSError):
        return None if found.errno == errno.EPIPE else _system_words(found)
    told = _FIELD.sub("", " ".join(str(found).split())) or type(found).__name__
    return told + _where(found)


def _where(error: BaseException) -> str:
    """Name the registry that does not know the model: each folder has its own."""
    from cli.catalog import registry_place
    from registry.errors import UnknownModel

    return f" (looked in {registry_place()})" if isinstance(error, UnknownModel) else ""


def _system_words(error: OSError) -> str:
    """Name the file where the system named one, say why it was refused, then what to do."""
    told = " ".join((error.strerror or str(error)).split()) or type(error).__name__
    names = [os.fsdecode(name) for name in (error.filename, error.filename2) if _is_path(name)]
    place = " → ".join(" ".join(name.split()) for name in names)
    unknown = "check that path and its disk" if place else "run the command again"
    remedy = _REMEDIES.get(error.errno or 0, unknown)
    return ": ".join([place, told, remedy] if place else [told, remedy])


def _is_path(name: object) -> TypeGuard[str | bytes]:
    # It may also be the number of an open file.
    return isinstance(name, str | bytes)


def _leaves(error: BaseException) -> Iterator[BaseException]:
    """Return the error itself, or those that a task group gathered."""
    if not isinstance(error, BaseExceptionGroup):
        yield error
        return
    for inner in error.exceptions:
        yield from _leaves(inner)


def _expected_errors() -> tuple[type[Exception], ...]:
    # Imported here because only a failed command needs them, and help must show at once.
    from pydantic import ValidationError
    from pydantic_settings import SettingsError

    from api.gateway.boot import UnsafeConfiguration
    from cli.demo import DemoFailed
    from cli.stack.errors import StackError
    from flows.errors import JobError
    from flows.shards.column_errors import MappingError
    from flows.shards.errors import ShardError
    from inference.errors import InferenceError
    from registry.domain import InvalidName
    from registry.errors import RegistryError

    return (
        DemoFailed,
        InferenceError,
        InvalidName,
        JobError,
        MappingError,
        OSError,
        RegistryError,
        SettingsError,
        ShardError,
        StackError,
        UnsafeConfiguration,
        ValidationError,
    )


def _unreadable_words(error: Exception) -> str:
    """Name the variable of a list or table that is not JSON."""
    from cli.variables import variables_of

    field = str(error).partition('"')[2].partition('"')[0]
    names = " or ".join(variables_of(field)) or str(error)
    return f"{names} cannot be read: write it as JSON, [1, 2] for example"


def _validation_words(error: "ValidationError") -> str:
    """Name each field at fault, without its value: it may be a secret."""
    from cli.variables import variable_names

    names = variable_names(error.title)
    told = "; ".join(
        f"{names.get(place, place) or error.title}: {words}"
        for each in error.errors()
        for place in [".".join(map(str, each["loc"]))]
        for words in [each["msg"].removeprefix("Value error, ")]
    )
    return told if names else f"{error.title} is not valid: {told}"
