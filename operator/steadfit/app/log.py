"""Logging: JSON lines on standard error, for our own and libraries' records, each with the object it concerns."""

from __future__ import annotations

import logging
import sys
from collections.abc import MutableMapping
from typing import Any, TextIO

import structlog

# kopf logs each delivered event and each retry; the supervisor logs what matters.
QUIET = {"kopf": "ERROR", "kopf._cogs.clients": "CRITICAL"}


def configure(level: str, stream: TextIO = sys.stderr) -> None:
    """Format every log record of this process alike."""
    shared: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.add_log_level,
        structlog.stdlib.ExtraAdder(),
        structlog.processors.TimeStamper(fmt="iso", utc=True, key="time"),
        structlog.processors.format_exc_info,
        _name_the_object,
    ]
    formatter = structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=shared,
        processors=[
            structlog.stdlib.ProcessorFormatter.remove_processors_meta,
            structlog.processors.EventRenamer("message"),
            structlog.processors.JSONRenderer(),
        ],
    )
    handler = logging.StreamHandler(stream)
    handler.setFormatter(formatter)
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level)
    for name, least in QUIET.items():
        logging.getLogger(name).setLevel(least)


def _name_the_object(logger: Any, method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Turn kopf's `k8s_ref` into the fields by which our own lines name an object."""
    event.pop("settings", None)
    event.pop("k8s_skip", None)
    reference = event.pop("k8s_ref", None)
    if isinstance(reference, dict):
        event.setdefault("kind", reference.get("kind"))
        event.setdefault("namespace", reference.get("namespace"))
        event.setdefault("name", reference.get("name"))
    return event
