"""The property that nothing goes live whose servers have just ended, unless a person says so."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from steadfit.core import names

from .store import Change

SEEN_AFTER = 120.0
"""By when an operator has seen an exit in any case, in seconds."""
HELD_FOR = 540.0
"""How long nothing goes live after an exit: less than the hold, as clocks are read at different moments."""


class StayingUp:
    """Remembers when servers ended that had been ready."""

    def __init__(self) -> None:
        self._ended: dict[str, list[float]] = {}

    def nothing_goes_live_whose_servers_do_not_stay(self, change: Change) -> Iterator[str]:
        """Yield what violates the property."""
        if change.ref.kind == "Pod" and change.old is not None and _has_ended(change.old, change.new):
            self._ended.setdefault(change.new["metadata"]["labels"][names.REVISION], []).append(change.at)
        if change.ref.kind != "ModelDeployment" or change.operation != "status" or change.old is None:
            return
        status, before = change.new["status"], change.old.get("status", {})
        live, old = status.get("live"), before.get("live")
        if live is None or old is None or live["revision"] == old["revision"]:
            return
        word = "pin" in change.new["spec"] or "override" in status or "promoted" in status
        word = word or "promotedBy" in before.get("candidate", {})
        rolled_back = any(entry["revision"] == old["revision"] for entry in status.get("quarantine", ()))
        ages = (change.at - at for at in self._ended.get(live["revision"], ()))
        if not word and not rolled_back and any(SEEN_AFTER < age < HELD_FOR for age in ages):
            yield f"{live['version']} replaces {old['version']}, and its servers do not stay"


def _has_ended(before: Mapping[str, Any], after: Mapping[str, Any]) -> bool:
    """Return whether a server ended that was ready."""
    conditions = before.get("status", {}).get("conditions", ())
    was_ready = any((one["type"], one["status"]) == ("Ready", "True") for one in conditions)
    return was_ready and _restarts(before) < _restarts(after)


def _restarts(pod: Mapping[str, Any]) -> int:
    return sum(one["restartCount"] for one in pod.get("status", {}).get("containerStatuses", ()))
