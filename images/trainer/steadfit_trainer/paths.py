"""The paths in a run's pod, below `/steadfit`."""

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Paths:
    """The pod's folders.

    Attributes
    ----------
    root : Path
        `/steadfit`; tests use another folder.
    """

    root: Path = Path("/steadfit")

    @property
    def data(self) -> Path:
        """Training rows, one folder for each source, for the user's container."""
        return self.root / "data"

    @property
    def params(self) -> Path:
        """Parameters for the user's container."""
        return self.root / "params.json"

    @property
    def output(self) -> Path:
        """Output of the user's container."""
        return self.root / "output"

    @property
    def holdout(self) -> Path:
        """Holdout rows. `handover` is not mounted into the user's container."""
        return self.root / "handover" / "holdout"

    @property
    def resolved(self) -> Path:
        """What fetch read and how it split the rows, for publish."""
        return self.root / "handover" / "resolved.json"

    @property
    def downloads(self) -> Path:
        """Downloaded objects; below `handover`, because they include holdout rows. fetch deletes them at its end."""
        return self.root / "handover" / "downloads"

    @property
    def staging(self) -> Path:
        """Copies of the artifact's files from `output`."""
        return self.root / "handover" / "artifact"

    @property
    def champion(self) -> Path:
        """Artifact of the version that serves, for the comparison."""
        return self.root / "handover" / "champion"

    @property
    def token(self) -> Path:
        """The pod's projected token for the operator."""
        return self.root / "token" / "token"
