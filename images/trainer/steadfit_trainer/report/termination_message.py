"""The termination message of a container: one sentence, never a stack trace."""

import logging
from pathlib import Path

LOG = logging.getLogger(__name__)

MAX_BYTES = 2048


def write(path: Path, failure_class: str, sentence: str) -> str:
    """Write `<class>: <sentence>` to the termination log, truncated to 2 KiB, and return it."""
    line = " ".join(f"{failure_class}: {sentence}".split())
    raw = line.encode()
    if len(raw) > MAX_BYTES:
        line = raw[: MAX_BYTES - 3].decode(errors="ignore") + "…"
    try:
        path.write_text(line)
    except OSError as error:
        LOG.warning("the termination log can't be written: %s", error)
    return line
