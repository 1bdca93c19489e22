"""When ModelActions arrived, by the operator's own clock, as all times in a status are.

In memory. Of an action that the first list has brought, only the API server knows when it was created.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from steadfit.kube.cache import Cache, JSONObject
from steadfit.kube.clock import Clock
from steadfit.kube.key import key_of
from steadfit.kube.resources import MODEL_ACTIONS


class ActionArrivals:
    """The times of the actions in the cache that arrived after the first list."""

    def __init__(self, cache: Cache, clock: Clock) -> None:
        self._cache = cache
        self._clock = clock
        self._times: dict[str, datetime] = {}
        self._listed: set[str] = set()
        self._is_primed = False
        cache.listen(self._on_change)

    @property
    def by_uid(self) -> Mapping[str, datetime]:
        """The times by the uid of the action."""
        return self._times

    def note_primed(self) -> None:
        """Let what comes from now on have arrived when it comes."""
        self._is_primed = True

    def _on_change(self, obj: JSONObject) -> None:
        if obj["kind"] != MODEL_ACTIONS.kind:
            return
        uid, cached = obj["metadata"]["uid"], self._cache.get(key_of(obj))
        if cached is None or cached["metadata"]["uid"] != uid:
            self._times.pop(uid, None)
            self._listed.discard(uid)
        elif not self._is_primed:
            self._listed.add(uid)
        elif uid not in self._listed:
            self._times.setdefault(uid, self._clock.now())
