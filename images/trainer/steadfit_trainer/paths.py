"""Where things lie in a run's pod, below `/steadfit`."""

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Paths:
    """The pod's folders.

    Attributes
    ----------
    root : Path
        `/steadfit`; tests give another.
    """

    root: Path = Path("/steadfit")

    @property
    def data(self) -> Path:
        """Training rows, one folder for each source: what the user's container reads."""
        return self.root / "data"

    @property
    def params(self) -> Path:
        """Parameters for the user's container."""
        return self.root / "params.json"

    @property
    def output(self) -> Path:
        """What the user's container writes."""
        return self.root / "output"

    @property
    def holdout(self) -> Path:
        """Rows that judge. `handover` is not mounted into the user's container."""
        return self.root / "handover" / "holdout"

    @property
    def resolved(self) -> Path:
        """What fetch read and how it split, for publish."""
        return self.root / "handover" / "resolved.json"

    @property
    def downloads(self) -> Path:
        """Objects as they came, holdout rows included; so below `handover`, and gone when fetch ends."""
        return self.root / "handover" / "downloads"

    @property
    def staging(self) -> Path:
        """The artifact's files, copied from `output` before anything reads them."""
        return self.root / "handover" / "artifact"

    @property
    def champion(self) -> Path:
        """The artifact of the version that serves, while the result is compared with it."""
        return self.root / "handover" / "champion"

    @property
    def token(self) -> Path:
        """The pod's projected token for the operator."""
        return self.root / "token" / "token"
