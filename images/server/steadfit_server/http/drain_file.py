"""The drain file, which the kubelet writes from an annotation of the pod that the operator sets."""

from pathlib import Path

_DRAIN = b"true"


class DrainFile:
    """Reads whether the operator wants this pod to drain. The file is small and in memory, so it is polled.

    Parameters
    ----------
    path : Path
        Path of the file; without a file, as outside Kubernetes, the pod does not drain.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._requested = False

    def requested(self) -> bool:
        """Return whether this pod is to drain; if the file can't be read, return the last value."""
        try:
            with self._path.open("rb") as file:
                self._requested = file.read(16).strip() == _DRAIN
        except OSError:
            # The kubelet replaces the link just now, or there is no file: neither is logged.
            pass
        return self._requested
