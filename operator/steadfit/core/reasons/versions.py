"""Reasons of a ModelVersion: the verdict of its gate, and its quarantine."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from .entry import NOTHING, Reason

VersionReason = Literal[
    "AwaitingGate",
    "Duplicate",
    "Held",
    "HeldVersionServing",
    "NotQuarantined",
    "QuarantineNotStored",
    "Quarantined",
    "Rejected",
    "Released",
    "ServingRecordDropped",
    "ServingsNotStored",
    "Stored",
    "Verified",
    "WriteFailed",
    "WritePending",
]

_READY = ("ModelVersion/Ready",)
_DEPLOYED = ("ModelDeployment/Progressing", "ModelDeployment/Ready")
_STORED = ("ModelVersion/QuarantineStored",)
_VERSION = ("ModelVersion",)

VERSIONS: Mapping[VersionReason, Reason] = {
    "AwaitingGate": Reason(
        "The gate has not judged the version yet.",
        "If it lasts longer than a minute, check that its TrainingJob exists: the gate takes its thresholds from it.",
        conditions=_READY,
    ),
    "Duplicate": Reason(
        "The version passed its gate, and its artifact is the same, byte for byte, as that of an older version. It is"
        " rolled out like any other, unless that artifact serves already.",
        NOTHING,
        conditions=_READY,
    ),
    "Held": Reason(
        "The gate could not compare the version, so it is not rolled out automatically.",
        "Look at its record by `kubectl describe mv`, then `Promote` or `Pin` it, or train another.",
        conditions=(*_READY, *_DEPLOYED),
        warning=(*_VERSION, "ModelDeployment"),
    ),
    "HeldVersionServing": Reason(
        "The gate could not compare the version, and it serves nevertheless: a person pinned or promoted it.",
        NOTHING,
        conditions=_READY,
    ),
    "NotQuarantined": Reason("The version is not in quarantine.", NOTHING, conditions=_STORED),
    "QuarantineNotStored": Reason(
        "The quarantine, or its end, could not be written beside the artifact; it is retried.",
        "Check the store and the keys of the namespace; until then a new cluster would not know of it.",
        warning=_VERSION,
    ),
    "Quarantined": Reason(
        "The version, or a revision of it, is in quarantine and takes no traffic.",
        "The message says who put it there and why; a `Release` action ends it if that was a mistake.",
        conditions=(*_READY, *_DEPLOYED),
        warning=("ModelDeployment", "ModelVersion"),
    ),
    "Rejected": Reason(
        "The gate rejected the version: it is worse than a threshold, or than the version that serves.",
        "Compare the metrics in the message with those of the version that serves; look at the data or the recipe.",
        conditions=(*_READY, "ModelDeployment/Progressing"),
        warning=_VERSION,
    ),
    "Released": Reason(
        "The quarantine of the version has ended; beside a live version it is not rolled out by itself.",
        "`Promote` or `Pin` the version if it is to serve.",
        conditions=("ModelDeployment/Progressing",),
        normal=("ModelDeployment", "ModelVersion"),
    ),
    "ServingRecordDropped": Reason(
        "`status.served` of the version is full of 96 records, and the oldest that no decision needs is dropped: the"
        " store could not be written in time.",
        "The operator's log keeps the message, which has all that the record said. Look at `status.noteFailure` of the"
        " version, and whether its ArtifactStore is usable.",
        normal=_VERSION,
    ),
    "ServingsNotStored": Reason(
        "Servings could not be written to `servings.json` beside the artifact; it is retried, and they stay in"
        " `status.served` of the version meanwhile.",
        "Check the store and the keys of the namespace; the message names a file that can't be read.",
        warning=_VERSION,
    ),
    "Stored": Reason("The quarantine is written beside the artifact.", NOTHING, conditions=_STORED),
    "Verified": Reason(
        "The version passed its gate and may be rolled out.", NOTHING, conditions=_READY, normal=_VERSION
    ),
    "WriteFailed": Reason(
        "The Job that writes the quarantine beside the artifact failed; it is retried.",
        "Check the store and the keys of the namespace; until then a new cluster would not know of the quarantine.",
        conditions=_STORED,
    ),
    "WritePending": Reason(
        "The quarantine, or its end, is being written beside the artifact by a Job.",
        "Wait; if it lasts longer than a minute, look at the Job `<version>-quarantine` of the namespace.",
        conditions=_STORED,
    ),
}
