"""Whether an image can be had from its registry: by really pulling it, with a short patience for the start."""

import os
import queue
import re
import subprocess
import threading
import time

from tests.tools.local_cluster.engine import Engine
from tests.tools.local_cluster.shell import say

PATIENCE = 20.0
DOWNLOAD = 1200.0
_PROGRESS = re.compile(r"Pulling fs layer|Already exists|Pull complete|Digest: sha256:")


def shows_progress(line: str) -> bool:
    """Whether a line of `docker pull` proves that the registry answered with the image."""
    return bool(_PROGRESS.search(line))


def pullable(engine: Engine, image: str, patience: float = PATIENCE) -> bool:
    """Pull an image; false when its registry refuses or says nothing within ``patience`` seconds."""
    if engine.has("image", "inspect", image):
        return True
    say(f"  … trying to pull {image}")
    process = subprocess.Popen(
        ["docker", "pull", image],
        env={**os.environ, **engine.env},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    lines: queue.Queue[str | None] = queue.Queue()

    def read() -> None:
        assert process.stdout is not None
        for line in process.stdout:
            lines.put(line)
        lines.put(None)

    threading.Thread(target=read, daemon=True).start()
    deadline, started = time.monotonic() + patience, False
    while True:
        try:
            line = lines.get(timeout=max(0.0, deadline - time.monotonic()))
        except queue.Empty:
            process.kill()
            break
        if line is None:
            break
        if not started and shows_progress(line):
            started, deadline = True, time.monotonic() + DOWNLOAD
    pulled = process.wait() == 0
    say(f"  {'✓ pulled' if pulled else '· cannot be pulled:'} {image}")
    return pulled
