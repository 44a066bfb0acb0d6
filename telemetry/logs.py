"""Write the log of a server process of ours as JSON lines.

Whoever logs takes `logger(__name__)` and says what happened in words, with the facts as fields:
`log.warning("not ready", missing=names)`. What other libraries log comes in the same form.

Jobs do not use it. What happens to one is told to Prefect's run logger, in
`flows.batch_inference`: it is read on the run's page then, beside what Prefect itself says of tasks
and their retries, and from every worker in one place.
"""

import json
import logging
from collections.abc import Iterator, MutableMapping
from contextlib import contextmanager
from datetime import UTC, datetime
from logging.handlers import RotatingFileHandler
from pathlib import Path
from typing import Any, cast

import structlog

from telemetry.redaction import redacted, redacted_text

_FILE_BYTES = 10 << 20
_OLDER_FILES = 3
"""With the file written to: at most 40 MiB, weeks of warnings."""


def logger(name: str) -> structlog.stdlib.BoundLogger:
    """Return the logger of a module."""
    wrapped = structlog.wrap_logger(
        logging.getLogger(name),
        processors=[structlog.stdlib.filter_by_level, _as_record],
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )
    return cast(structlog.stdlib.BoundLogger, wrapped)


@contextmanager
def noted(**fields: str) -> Iterator[None]:
    """Have every line that is logged within the block, in this task, carry the fields."""
    with structlog.contextvars.bound_contextvars(**fields):
        yield


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
        line: dict[str, object] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": redacted_text(record.getMessage()),
        }
        fields = dict(structlog.contextvars.get_contextvars())
        fields |= getattr(record, "fields", None) or {}
        for name, value in fields.items():
            if name not in line:
                line[str(name)] = redacted(str(name), value)
        if record.exc_info:
            line["error"] = redacted_text(self.formatException(record.exc_info))
        return json.dumps(line, default=str)


@contextmanager
def logged_to(file: Path, *, of: str | None = None) -> Iterator[None]:
    """Append what this process logs, from INFO up, to `file` for the length of the block.

    With `of`, only what that logger says, which is written nowhere else then. One process to a
    file. Raises `OSError` when it cannot be written.
    """
    file.parent.mkdir(parents=True, exist_ok=True)
    handler = RotatingFileHandler(
        file, maxBytes=_FILE_BYTES, backupCount=_OLDER_FILES, encoding="utf-8"
    )
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
