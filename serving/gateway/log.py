"""Structured log lines: one JSON object a line on stderr. Prompts and generated text never go in."""

from __future__ import annotations

import json
import logging
import sys
from collections.abc import Mapping

_LOGGER = logging.getLogger("serving.gateway")


def emit(event: str, /, *, level: int = logging.INFO, **fields: object) -> None:
    """Log `event` with its fields, which must be JSON values."""
    _LOGGER.log(level, event, extra={"fields": fields})


class JsonFormatter(logging.Formatter):
    """Also shapes the lines of libraries (aiohttp, asyncio), so that the log has one format.

    `fields` are in every line.
    """

    def __init__(self, fields: Mapping[str, object]) -> None:
        super().__init__()
        self._fields = fields

    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, object] = {
            "at": round(record.created, 3),
            "level": record.levelname.lower(),
            "event": record.getMessage(),
        }
        line.update(self._fields)
        if record.name != _LOGGER.name:
            line["logger"] = record.name
        line.update(getattr(record, "fields", {}))
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return json.dumps(line)


def configure_logging(**fields: object) -> None:
    """Send everything to stderr as JSON lines, `fields` in each. Called by the process's entry only."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonFormatter(fields))
    logging.basicConfig(level=logging.WARNING, handlers=[handler])
    _LOGGER.setLevel(logging.INFO)
