"""Look-ups over the observed versions. Each is built once a pass: a TrainingJob may have a thousand versions."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

from steadfit.api.modelversion import ModelVersion, ServingRecord


def let_through(version: ModelVersion, deployment: str) -> list[ServingRecord]:
    """Return the records of a version that was let through by a ModelDeployment of this name."""
    return [record for record in version.status.served if record.let_through and record.deployment == deployment]


@dataclass(frozen=True)
class VersionIndex:
    """Look-ups over versions. Names and numbers are given again, so more than one version may be found."""

    versions: Sequence[ModelVersion]

    @cached_property
    def newest_first(self) -> Sequence[ModelVersion]:
        """The versions, that of the highest number first."""
        return sorted(self.versions, key=lambda version: version.spec.number, reverse=True)

    def named(self, name: str) -> Sequence[ModelVersion]:
        """Return the versions of a name."""
        return self._by_name.get(name, ())

    def numbered(self, number: int) -> Sequence[ModelVersion]:
        """Return the versions of a number."""
        return self._by_number.get(number, ())

    def of_artifact(self, digest: str) -> Sequence[ModelVersion]:
        """Return the versions with the artifact of a digest: one and its duplicates."""
        return self._by_digest.get(digest, ())

    @cached_property
    def _by_name(self) -> Mapping[str, Sequence[ModelVersion]]:
        found: dict[str, list[ModelVersion]] = defaultdict(list)
        for version in self.versions:
            found[version.name].append(version)
        return found

    @cached_property
    def _by_number(self) -> Mapping[int, Sequence[ModelVersion]]:
        found: dict[int, list[ModelVersion]] = defaultdict(list)
        for version in self.versions:
            found[version.spec.number].append(version)
        return found

    @cached_property
    def _by_digest(self) -> Mapping[str, Sequence[ModelVersion]]:
        found: dict[str, list[ModelVersion]] = defaultdict(list)
        for version in self.versions:
            found[version.spec.artifact.digest].append(version)
        return found
