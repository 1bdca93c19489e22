"""Quarantine: adds ModelDeployments to the quarantine note beside an artifact, or removes them.

Entries of other ModelDeployments stay. The operator runs one such pod per version at a time.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import datetime

from pydantic import BaseModel, ConfigDict
from steadfit_artifact.quarantine import NOTE_NAME, Entry, Note, NoteError, read
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
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    store: StoreConfig
    uri: str
    put: dict[str, Entry] = {}
    take: dict[str, datetime] = {}


def write_note(config: QuarantineConfig, connect: Callable[[StoreConfig], Store] = Store.connect) -> None:
    """Update the note; to repeat it changes nothing.

    Raises
    ------
    DataFailure
        The note can't be read, and must not be overwritten.
    StoreFailure
        The store failed.
    """
    try:
        store = connect(config.store)
        found = read(store, config.uri)
        before = found or Note()
        kept = {
            name: entry
            for name, entry in before.deployments.items()
            if name not in config.take or entry.at > config.take[name]
        }
        after = Note(deployments={**kept, **config.put})
        if after == before:
            LOG.info("nothing has to be changed at %s", under(config.uri, NOTE_NAME))
            return
        store.put(under(config.uri, NOTE_NAME), after.dump())
    except NoteError as error:
        raise DataFailure(str(error)) from error
    except StoreError as error:
        raise StoreFailure(str(error)) from error
    LOG.info("%s names %s", under(config.uri, NOTE_NAME), sorted(after.deployments) or "no ModelDeployment")
