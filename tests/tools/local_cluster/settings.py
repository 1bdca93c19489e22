"""Where things lie on this machine, read once from the environment."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

CLUSTER_NAME = "steadfit"
REPOSITORY = Path(__file__).resolve().parents[3]


@dataclass(frozen=True)
class Settings:
    """Directories and choices of one invocation.

    ``cache`` holds what is built (binaries, root file systems, the engine's image store) and survives
    ``cluster-down``; ``state`` holds what belongs to the running cluster and does not.
    """

    root: Path
    cache: Path
    state: Path
    existing: bool
    registry: str
    assume_yes: bool

    @classmethod
    def from_environment(cls, env: Mapping[str, str] = os.environ) -> "Settings":
        """Read the settings; ``STEADFIT_CACHE`` and ``STEADFIT_STATE`` override the XDG directories.

        Raises:
            ValueError: ``CLUSTER`` is neither empty, ``kind`` nor ``existing``, or ``existing`` comes
                without ``REGISTRY``.

        """
        home = Path(env.get("HOME") or Path.home())
        cache = Path(env.get("XDG_CACHE_HOME") or home / ".cache") / "steadfit"
        state = Path(env.get("XDG_STATE_HOME") or home / ".local" / "state") / "steadfit"
        cluster = env.get("CLUSTER", "kind")
        if cluster not in ("", "kind", "existing"):
            raise ValueError(f"CLUSTER={cluster} is unknown; use CLUSTER=kind (the default) or CLUSTER=existing.")
        existing = cluster == "existing"
        registry = env.get("REGISTRY", "")
        if existing and not registry:
            raise ValueError(
                "CLUSTER=existing needs REGISTRY=<host/path>: a registry this machine may push to and the cluster "
                "may pull from."
            )
        return cls(
            root=REPOSITORY,
            cache=Path(env.get("STEADFIT_CACHE") or cache).absolute(),
            state=Path(env.get("STEADFIT_STATE") or state).absolute(),
            existing=existing,
            registry=registry,
            assume_yes=env.get("YES", "") not in ("", "0"),
        )

    @property
    def kubeconfig(self) -> Path:
        """The kubeconfig kind writes for our cluster."""
        return self.state / "kubeconfig"

    @property
    def bin(self) -> Path:
        """Directory with links to the pinned ``kind`` and ``kubectl``."""
        return self.state / "bin"
