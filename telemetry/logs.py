"""Write the log of a server process of ours as JSON lines.

Whoever logs takes `logger(__name__)` and says what happened in words, with the facts as fields:
`log.warning("not ready", missing=names)`. What other libraries log comes in the same form.

Jobs do not use it. What happens to one is told to Prefect's run logger, in
`flows.batch_inference`: it is read on the run's page then, beside what Prefect itself says of tasks
and their retries, and from every worker in one place.
"""

import json
import logging
import os
import time
from collections.abc import Iterator, Mapping, MutableMapping
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import UTC, datetime
from io import TextIOWrapper
from logging.handlers import RotatingFileHandler
from pathlib import Path
from types import MappingProxyType
from typing import Any, cast

import orjson
import structlog

from telemetry.redaction import redacted_fields, redacted_text

_FILE_BYTES = 10 << 20
_OLDER_FILES = 3
"""With the file written to: at most 40 MiB, weeks of warnings."""

_NOTED: ContextVar[Mapping[str, str]] = ContextVar("nightshift.noted", default=MappingProxyType({}))
"""What each line of the present task carries."""


def logger(name: str) -> structlog.stdlib.BoundLogger:
    """Return the logger of a module."""
    wrapped = structlog.wrap_logger(
        logging.getLogger(name),
        processors=[structlog.stdlib.filter_by_level, _as_record],
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )
    return cast(structlog.stdlib.BoundLogger, wrapped)


def tell(source: logging.Logger, words: str, fields: Mapping[str, object]) -> None:
    """Log at INFO what happens at every request, for a fraction of what `logger` takes.

    `source` is a logger of the standard library. Where it has a file of its own the line is written
    at once; the names of `fields` are the program's, so none is called like a secret.
    """
    if not source.isEnabledFor(logging.INFO):
        return
    for handler in source.handlers:
        if isinstance(handler, _Rotating):
            line = _begun(time.time(), "info", source.name, words)
            handler.write(redacted_text(_json({**_NOTED.get(), **fields, **line})))
            return
    record = logging.LogRecord(source.name, logging.INFO, "", 0, words, (), None)
    record.fields = fields
    source.handle(record)


class noted:  # noqa: N801  # used as the function that `contextmanager` would make, which is slower
    """Have every line that is logged within the block, in this task, carry the fields."""

    __slots__ = ("_before", "_fields")

    def __init__(self, **fields: str) -> None:
        self._fields = fields

    def __enter__(self) -> None:
        self._before = _NOTED.set({**_NOTED.get(), **self._fields})

    def __exit__(self, *_: object) -> None:
        _NOTED.reset(self._before)


def _as_record(
    _: object, __: str, event: MutableMapping[str, Any]
) -> tuple[tuple[str], dict[str, Any]]:
    """Hand the event to the standard library, where all lines meet."""
    words = str(event.pop("event"))
    exc_info = event.pop("exc_info", None)
    return (words,), {"extra": {"fields": dict(event)}, "exc_info": exc_info}


class JsonLine(logging.Formatter):
    """A record as one JSON object; `extra={"fields": {…}}` adds members to it."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the line, without its end and without secrets."""
        line = _begun(record.created, record.levelname.lower(), record.name, record.getMessage())
        fields = {**_NOTED.get(), **(getattr(record, "fields", None) or {})}
        said = {str(name): value for name, value in fields.items() if name not in line}
        line |= redacted_fields(said)
        if record.exc_info:
            line["error"] = self.formatException(record.exc_info)
        return redacted_text(_json(line))


def _begun(posix_time: float, level: str, name: str, words: str) -> dict[str, object]:
    """Return what every line has."""
    moment = datetime.fromtimestamp(posix_time, UTC).isoformat(timespec="milliseconds")
    return {"time": moment, "level": level, "logger": name, "message": words}


def _json(line: Mapping[str, object]) -> str:
    try:
        return orjson.dumps(line, default=str, option=orjson.OPT_NON_STR_KEYS).decode()
    except orjson.JSONEncodeError:
        # Half of a surrogate pair, or a number that is too large: escaped, it can be written.
        return json.dumps(line, default=str)


class _Rotating(RotatingFileHandler):
    """Writes each line in one call to the system, and begins a new file after the one that is full.

    The library's way formats each line twice, asks where in the file it is, and flushes.
    """

    def emit(self, record: logging.LogRecord) -> None:
        """Write the record."""
        try:
            self.write(self.format(record))
        except Exception:  # noqa: BLE001  # the library's rule: a line stops nobody
            self.handleError(record)

    def write(self, line: str) -> None:
        """Write a line."""
        self.acquire()
        try:
            if self._size >= self.maxBytes:
                self.doRollover()
            self._size += os.write(self._file, f"{line}\n".encode())
        finally:
            self.release()

    def _open(self) -> TextIOWrapper:
        stream = super()._open()
        self._file = stream.fileno()
        self._size = os.fstat(self._file).st_size
        return stream


@contextmanager
def logged_to(file: Path, *, of: str | None = None) -> Iterator[None]:
    """Append what this process logs, from INFO up, to `file` for the length of the block.

    With `of`, only what that logger says, which is written nowhere else then. One process to a
    file. Raises `OSError` when it cannot be written.
    """
    file.parent.mkdir(parents=True, exist_ok=True)
    handler = _Rotating(file, maxBytes=_FILE_BYTES, backupCount=_OLDER_FILES, encoding="utf-8")
    handler.setFormatter(JsonLine())
    source = logging.getLogger(of)
    before = (source.level, source.propagate)
    source.addHandler(handler)
    source.setLevel(logging.INFO)
    source.propagate = of is None
    try:
        yield
    finally:
        source.level, source.propagate = before
        source.removeHandler(handler)
        handler.close()
