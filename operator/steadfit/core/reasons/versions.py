"""Reasons of a ModelVersion: the verdict of its gate, and its quarantine."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from .entry import NOTHING, Reason

VersionReason = Literal[
    "Duplicate",
    "Held",
    "HeldServes",
    "NotJudged",
    "NotWritten",
    "QuarantineNotStored",
    "Quarantined",
    "Rejected",
    "Released",
    "Verified",
    "VersionQuarantined",
    "VersionReleased",
    "VersionVerified",
]

_READY = ("ModelVersion/Ready",)
_VERSION = ("ModelVersion",)

VERSIONS: Mapping[VersionReason, Reason] = {
    "Duplicate": Reason(
        "The artifact is the same, byte for byte, as that of an older version; it is not rolled out.",
        NOTHING,
        conditions=_READY,
    ),
    "Held": Reason(
        "The gate could not compare the version, so it does not serve by itself.",
        "Look at its record by `kubectl describe mv`, then `Promote` or `Pin` it, or train another.",
        conditions=_READY,
    ),
    "HeldServes": Reason(
        "The gate could not compare the version, and it serves all the same: a person let it through.",
        NOTHING,
        conditions=_READY,
    ),
    "NotJudged": Reason(
        "The gate has not judged the version yet.",
        "If it lasts longer than a minute, check that its TrainingJob exists: the gate takes its thresholds from it.",
        conditions=_READY,
    ),
    "NotWritten": Reason(
        "The Job that writes the quarantine beside the artifact failed; it is tried again.",
        "Check the store and the keys of the namespace; until then a new cluster would not know of the quarantine.",
        conditions=("ModelVersion/QuarantineStored",),
    ),
    "QuarantineNotStored": Reason(
        "The quarantine, or its end, could not be written beside the artifact; it is tried again.",
        "Check the store and the keys of the namespace; until then a new cluster would not know of it.",
        warning=_VERSION,
    ),
    "Quarantined": Reason(
        "The version, or a revision of it, is in quarantine and takes no traffic.",
        "Read who put it there and why in the message; a `Release` action ends it if that was a mistake.",
        conditions=_READY,
        warning=("ModelDeployment",),
    ),
    "Rejected": Reason(
        "The gate rejected the version: it is worse than a threshold, or than the version that serves.",
        "Compare the metrics in the message with those of the version that serves; look at the data or the recipe.",
        conditions=_READY,
    ),
    "Released": Reason(
        "A `Release` action ended the quarantine of the version.",
        "`Promote` or `Pin` the version if it is to serve.",
        normal=("ModelDeployment",),
    ),
    "Verified": Reason("The version passed its gate and may be rolled out.", NOTHING, conditions=_READY),
    "VersionQuarantined": Reason(
        "The version is in quarantine and takes no traffic.",
        "Read who put it there and why in the message; a `Release` action ends it if that was a mistake.",
        warning=_VERSION,
    ),
    "VersionReleased": Reason("The quarantine of the version has ended.", NOTHING, normal=_VERSION),
    "VersionVerified": Reason("The version passed its gate and may be rolled out.", NOTHING, normal=_VERSION),
}
