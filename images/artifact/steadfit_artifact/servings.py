"""The servings beside an artifact that have no room in the status of its version: who served it, and when.

It is not part of the artifact, and nothing decides by it. `publish` reads it for a version that is made of the same
files.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import Annotated, Final, Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, ValidationError
from pydantic.alias_generators import to_camel

from steadfit_artifact.errors import ArtifactError, first_problem
from steadfit_artifact.store import AccessDeniedError, ObjectMissingError, Store, under

LOG = logging.getLogger(__name__)

SERVINGS_NAME: Final = "servings.json"
MAX_SERVINGS: Final = 2000
"""Most servings of an artifact: those that ended first are dropped."""
MAX_SERVINGS_BYTES: Final = 2 * 1024 * 1024
"""More than that many of the longest take."""


class ServingsError(ArtifactError):
    """The servings can't be read, so none may be added: what was there would be lost."""


class _Model(BaseModel):
    # A newer release may write fields that this one does not know.
    model_config = ConfigDict(frozen=True, extra="ignore", alias_generator=to_camel, populate_by_name=True)


class Serving(_Model):
    """Time during which a version took traffic of one ModelDeployment."""

    version: Annotated[str, Field(max_length=253)]
    deployment: Annotated[str, Field(max_length=63)]
    deployment_uid: Annotated[str, Field(max_length=64)]
    started_at: AwareDatetime
    ended_at: AwareDatetime
    share: int
    outcome: Annotated[str, Field(max_length=32)]
    let_through: bool = False


class Servings(_Model):
    """The servings of an artifact, those that ended first first."""

    schema_version: Literal[1] = 1
    servings: Annotated[list[Serving], Field(max_length=MAX_SERVINGS)] = []

    def dump(self) -> bytes:
        """Return the servings as JSON."""
        return self.model_dump_json(by_alias=True).encode()


def parse(raw: bytes, at: str) -> Servings:
    """Return the servings that lie at a URI.

    Raises
    ------
    ServingsError
        They can't be read.
    """
    try:
        return Servings.model_validate_json(raw)
    except ValidationError as error:
        raise ServingsError(
            f"{at} says who served this artifact, and can't be read ({first_problem(error)}). Correct it, or move it"
            " away; then a new one begins."
        ) from error


def add(store: Store, uri: str, new: Sequence[Serving]) -> None:
    """Add servings of the artifact at `uri`; to repeat it changes nothing, and what others add meanwhile stays.

    Raises
    ------
    ServingsError
        The servings that are there can't be read.
    StoreError
        The store failed.
    """
    at = under(uri, SERVINGS_NAME)

    def added(raw: bytes | None) -> bytes:
        before = parse(raw, at).servings if raw is not None else []
        merged = {(one.deployment_uid, one.version, one.started_at): one for one in (*before, *new)}
        ordered = sorted(merged.values(), key=lambda one: (one.ended_at, one.started_at, one.deployment_uid))
        for one in ordered[:-MAX_SERVINGS]:
            LOG.warning("%s has room for %d servings; this one is dropped: %s", at, MAX_SERVINGS, one)
        return Servings(servings=ordered[-MAX_SERVINGS:]).dump()

    store.update(at, added, MAX_SERVINGS_BYTES)


def known(store: Store, uri: str) -> list[Serving]:
    """Return the servings of the artifact at `uri`, those that ended first first; none if they can't be read.

    Nothing decides by them, so they hold nothing up. S3 may answer 403 for what is missing, as for a quarantine note.

    Raises
    ------
    StoreError
        The store failed.
    """
    at = under(uri, SERVINGS_NAME)
    try:
        return parse(store.get(at, MAX_SERVINGS_BYTES), at).servings
    except ObjectMissingError:
        return []
    except (AccessDeniedError, ServingsError) as error:
        LOG.warning("%s It is taken to be missing.", error)
        return []
