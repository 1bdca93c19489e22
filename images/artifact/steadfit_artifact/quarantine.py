"""The quarantine note beside an artifact: which ModelDeployments rolled it back. It outlives statuses and clusters.

It is not part of the artifact, whose digest never changes; the server and `publish` read it.
"""

from __future__ import annotations

import logging
from datetime import datetime
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from pydantic.alias_generators import to_camel

from steadfit_artifact.errors import ArtifactError, first_problem
from steadfit_artifact.store import AccessDeniedError, ObjectMissingError, Store, under

LOG = logging.getLogger(__name__)

NOTE_NAME = "quarantine.json"
MAX_NOTE_BYTES = 1024 * 1024


class NoteError(ArtifactError):
    """The note can't be read. It exists only because the artifact was rolled back, so the artifact is refused."""


class QuarantinedError(ArtifactError):
    """The artifact may not be served by this ModelDeployment."""


class _Model(BaseModel):
    # A newer release may write fields that this one does not know.
    model_config = ConfigDict(frozen=True, extra="ignore", alias_generator=to_camel, populate_by_name=True)


class Entry(_Model):
    """The reason why a ModelDeployment does not serve an artifact."""

    reason: Annotated[str, Field(max_length=1024)]
    by: Annotated[str, Field(max_length=1024)]
    at: datetime
    revision: Annotated[str, Field(max_length=63)]


class Note(_Model):
    """The entries of a note, by the name of the ModelDeployment."""

    schema_version: Literal[1] = 1
    deployments: dict[str, Entry] = {}

    def dump(self) -> bytes:
        """Return the note as JSON."""
        return self.model_dump_json(by_alias=True).encode()


def read(store: Store, uri: str) -> Note | None:
    """Return the note beside the artifact at `uri`, or None if there is none.

    Raises
    ------
    NoteError
        The note can't be read.
    StoreError
        The store failed.
    """
    at = under(uri, NOTE_NAME)
    try:
        raw = store.get(at, MAX_NOTE_BYTES)
    except ObjectMissingError:
        return None
    return parse(raw, at)


def parse(raw: bytes, at: str) -> Note:
    """Return the note that lies at a URI.

    Raises
    ------
    NoteError
        It can't be read.
    """
    try:
        return Note.model_validate_json(raw)
    except ValidationError as error:
        raise NoteError(
            f"{at} says who rolled this artifact back, and can't be read ({first_problem(error)}). Correct it, or"
            " delete it if the artifact may serve everywhere."
        ) from error


def known(store: Store, uri: str) -> dict[str, Entry]:
    """Return the entries of the note; empty if there is none.

    Without the permission to list the bucket, S3 answers 403 and not 404 for a missing object. Credentials that can
    read the artifact can read a note beside it too, so 403 means that there is none.

    Raises
    ------
    NoteError
        The note can't be read.
    StoreError
        The store failed.
    """
    try:
        note = read(store, uri)
    except AccessDeniedError as error:
        LOG.warning("%s It is taken to be missing.", error)
        return {}
    return dict(note.deployments) if note is not None else {}


def refuse(store: Store, uri: str, deployment: str) -> None:
    """Refuse an artifact that a ModelDeployment rolled back.

    Raises
    ------
    QuarantinedError
        The ModelDeployment rolled the artifact back.
    NoteError
        The note can't be read.
    StoreError
        The store failed.
    """
    entry = known(store, uri).get(deployment)
    if entry is not None:
        raise QuarantinedError(
            f"Quarantined: this version was rolled back from ModelDeployment {deployment} at"
            f" {entry.at:%Y-%m-%dT%H:%M:%SZ} by {entry.by} and takes no traffic until Release: {entry.reason}"
        )
