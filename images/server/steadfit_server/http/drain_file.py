"""What the operator says about this pod's traffic: a file that the kubelet writes from an annotation of the pod."""

from pathlib import Path

_TOLD = b"true"


class DrainFile:
    """The file, read again and again: it is a few bytes in memory, and a change of it is a change of a link.

    Parameters
    ----------
    path : Path
        Of the file; where it never was, as outside Kubernetes, nobody says anything.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._told = False

    def requested(self) -> bool:
        """Return whether this pod is to drain: what was read last, if it can't be read now."""
        try:
            with self._path.open("rb") as file:
                self._told = file.read(16).strip() == _TOLD
        except OSError:
            # While the kubelet changes the link, or for ever; neither is worth a word.
            pass
        return self._told
