"""Logs as one JSON object per line, which collectors read without a parser of ours."""

import logging
import sys
from datetime import UTC, datetime

import orjson


class JsonFormatter(logging.Formatter):
    """Formats a record as JSON; the keys of `extra={"fields": {...}}` become keys of the line."""

    def __init__(self, **constant: str) -> None:
        super().__init__()
        self._constant = constant

    def format(self, record: logging.LogRecord) -> str:
        """Return the record as one line of JSON."""
        line: dict[str, object] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "message": record.getMessage(),
            **self._constant,
            **getattr(record, "fields", {}),
        }
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return orjson.dumps(line, default=str).decode()


def configure(**constant: str) -> None:
    """Send every log line as JSON to standard output, each with the given constant fields."""
    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(JsonFormatter(**constant))
    logging.basicConfig(level=logging.INFO, handlers=[handler], force=True)
    # uvicorn logs each start and stop in several lines; ours have the same facts and the version.
    logging.getLogger("uvicorn").setLevel(logging.WARNING)
