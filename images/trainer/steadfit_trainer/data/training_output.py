"""Copies the output of the training container without following links.

This step has the store's keys and the operator's token mounted, and the user's container wrote `output`: a link there
could point to them. So only plain files of known names are copied, and all later code reads the copies.
"""

import json
import logging
import os
import shutil
import stat
from pathlib import Path
from typing import Any

from steadfit_artifact.errors import ArtifactError
from steadfit_artifact.formats import registry
from steadfit_artifact.model import CLASSES_NAME, refuse_pickles
from steadfit_artifact.signature import SIGNATURE_NAME

from steadfit_trainer.failures import UserFailure

LOG = logging.getLogger(__name__)

METRICS_NAME, ENVIRONMENT_NAME = "metrics.json", "environment.json"
MAX_FILE_BYTES = 2 * 1024 * 1024 * 1024
MAX_DOCUMENT_BYTES = 1024 * 1024


def stage(output: Path, staging: Path) -> None:
    """Copy the artifact's files from `output` to `staging`, which is emptied first.

    Raises
    ------
    UserFailure
        The output is empty, has no model, or holds something other than plain files.
    """
    shutil.rmtree(staging, ignore_errors=True)
    staging.mkdir(parents=True)
    names = _names(output)
    if not names:
        raise UserFailure("The training container wrote nothing to /steadfit/output/.")
    try:
        refuse_pickles(output)
    except ArtifactError as error:
        raise UserFailure(str(error)) from None
    models = {each.file_name for each in registry.formats()}
    if not models & set(names):
        written = ", ".join(f"'{name}'" for name in names[:10])
        raise UserFailure(f"/steadfit/output/ has no {registry.file_names()}; the training container wrote {written}.")
    # What a server needs; other files describe the training and go into the record (docs/design/0011).
    artifact = models | {SIGNATURE_NAME, CLASSES_NAME}
    for name in names:
        if name in artifact:
            _copy(output / name, staging / name)
        elif name not in (METRICS_NAME, ENVIRONMENT_NAME):
            LOG.info("%s is not part of the artifact", name)


def document(output: Path, name: str) -> dict[str, Any]:
    """Return an optional JSON object of the output; absent is empty.

    Raises
    ------
    UserFailure
        The file is not a JSON object, or is too large.
    """
    path = output / name
    if not path.is_symlink() and not path.exists():
        return {}
    try:
        found = json.loads(_read(path), parse_constant=_no_number)
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, dict):
        raise UserFailure(f"/steadfit/output/{name} is not a JSON object.")
    return found


def _no_number(name: str) -> None:
    raise ValueError(f"{name} is not JSON")


def _names(output: Path) -> list[str]:
    if output.is_symlink() or not output.is_dir():
        return []
    return sorted(entry.name for entry in os.scandir(output))


def _copy(source: Path, target: Path) -> None:
    with _open(source, MAX_FILE_BYTES) as opened, target.open("wb") as copy:
        shutil.copyfileobj(opened, copy, 1024 * 1024)


def _read(path: Path) -> bytes:
    with _open(path, MAX_DOCUMENT_BYTES) as opened:
        return bytes(opened.read())


def _open(path: Path, max_bytes: int) -> Any:
    """Open a plain file; refuse links, and pipes, which would block."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        raise UserFailure(f"/steadfit/output/{path.name} is not a plain file that can be read.") from None
    status = os.fstat(descriptor)
    if not stat.S_ISREG(status.st_mode) or status.st_size > max_bytes:
        os.close(descriptor)
        raise UserFailure(f"/steadfit/output/{path.name} is not a plain file of at most {max_bytes} bytes.")
    return os.fdopen(descriptor, "rb")
