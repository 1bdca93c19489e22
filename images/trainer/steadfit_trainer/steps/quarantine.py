"""Quarantine: adds ModelDeployments to the quarantine note beside an artifact, or removes them, or adds servings.

Entries of other ModelDeployments stay, and those of other writers: the operator runs one such pod per version at a
time, but two versions may have the same artifact, and two clusters the same store.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import datetime

from pydantic import BaseModel, ConfigDict
from steadfit_artifact.quarantine import MAX_NOTE_BYTES, NOTE_NAME, Entry, Note, NoteError, parse
from steadfit_artifact.servings import Serving, ServingsError, add
from steadfit_artifact.store import Store, StoreConfig, StoreError, under

from steadfit_trainer.failures import DataFailure, StoreFailure

LOG = logging.getLogger(__name__)


class QuarantineConfig(BaseModel):
    """The configuration of the step.

    Attributes
    ----------
    store : StoreConfig
        The store that holds the artifact.
    uri : str
        URI of the artifact.
    put : dict[str, Entry], default {}
        New entries by the name of their ModelDeployment.
    take : dict[str, datetime], default {}
        ModelDeployments whose entries to remove, if they are not newer than the time.
    served : list[Serving], default []
        Servings without room in the status of the version. Given alone, so that they hold no quarantine up.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    store: StoreConfig
    uri: str
    put: dict[str, Entry] = {}
    take: dict[str, datetime] = {}
    served: list[Serving] = []


def write_note(config: QuarantineConfig, connect: Callable[[StoreConfig], Store] = Store.connect) -> None:
    """Update the note, or the servings; to repeat it changes nothing.

    Raises
    ------
    DataFailure
        What lies there can't be read, and must not be overwritten.
    StoreFailure
        The store failed.
    """
    at = under(config.uri, NOTE_NAME)

    def changed(raw: bytes | None) -> bytes | None:
        before = parse(raw, at) if raw is not None else Note()
        kept = {
            name: entry
            for name, entry in before.deployments.items()
            if name not in config.take or entry.at > config.take[name]
        }
        after = Note(deployments={**kept, **config.put})
        LOG.info("%s names %s", at, sorted(after.deployments) or "no ModelDeployment")
        return after.dump() if after != before else None

    try:
        store = connect(config.store)
        if config.put or config.take:
            store.update(at, changed, MAX_NOTE_BYTES)
        if config.served:
            add(store, config.uri, config.served)
    except (NoteError, ServingsError) as error:
        raise DataFailure(str(error)) from error
    except StoreError as error:
        raise StoreFailure(str(error)) from error
