"""Write the log of a server process of ours as JSON lines.

Jobs do not use it. What happens to one is told to Prefect's run logger, in
`flows.batch_inference`: it is read on the run's page then, beside what Prefect itself says of tasks
and their retries, and from every worker in one place.
"""

import json
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from logging.handlers import RotatingFileHandler
from pathlib import Path

_FILE_BYTES = 10 << 20
_OLDER_FILES = 3
"""With the file written to: at most 40 MiB, weeks of warnings."""


class JsonLine(logging.Formatter):
    """A record as one JSON object; `extra={"fields": {…}}` adds members to it."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the line, without its end."""
        line: dict[str, object] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        fields = getattr(record, "fields", None)
        if isinstance(fields, dict):
            line |= {str(name): value for name, value in fields.items() if name not in line}
        if record.exc_info:
            line["error"] = self.formatException(record.exc_info)
        return json.dumps(line, default=str)


@contextmanager
def logged_to(file: Path) -> Iterator[None]:
    """Append what this process logs, from INFO up, to `file` for the length of the block.

    One process to a file. Raises `OSError` when it cannot be written.
    """
    file.parent.mkdir(parents=True, exist_ok=True)
    handler = RotatingFileHandler(
        file, maxBytes=_FILE_BYTES, backupCount=_OLDER_FILES, encoding="utf-8"
    )
    handler.setFormatter(JsonLine())
    root = logging.getLogger()
    level = root.level
    root.addHandler(handler)
    root.setLevel(logging.INFO)
    try:
        yield
    finally:
        root.setLevel(level)
        root.removeHandler(handler)
        handler.close()
