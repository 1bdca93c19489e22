"""One pass over one object: observe, plan, and then write the status or act on it.

A pass either writes status or acts, never both. So every effect follows from an intent that was stored first, and a
crash at any point leaves nothing, or an intent that the next pass finishes. Marks follow from no decision and are
written before the status.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from pydantic import ValidationError

from steadfit.core.types import Action, Adopt, Apply, Create, Delete, Event, Plan, Replace
from steadfit.kube.cache import Cache, JSONObject
from steadfit.kube.client import APIError, Conflict, Forbidden, Invalid, KubeClient, NotFound
from steadfit.kube.clock import Clock
from steadfit.kube.events import Recorder
from steadfit.kube.key import Key, key_of
from steadfit.kube.merge import merge_patch
from steadfit.kube.resources import Resource

from .adopt import NameTaken, create_or_adopt
from .applied_templates import AppliedTemplates
from .refusals import Refusals

logger = logging.getLogger(__name__)

SLOW_RETRY_SECONDS = 60.0
SHORTEST_WAIT_SECONDS = 1.0

Planner = Callable[[JSONObject, datetime], Plan]
"""Plans for one cached object at one time."""

Outcome = Literal["gone", "idle", "written", "acted", "conflict", "refused", "unavailable", "unstored", "failed"]


@dataclass(frozen=True, slots=True)
class Result:
    """How a pass ended, and when the next one is due if nothing changes before.

    `retry` means backoff: the pass has failed and is repeated after at least `after` seconds.
    """

    outcome: Outcome
    after: float | None = None
    retry: bool = False


class Reconciler:
    """Makes passes. Calls for different keys may overlap; the work queue serialises those of one key."""

    def __init__(
        self,
        client: KubeClient,
        cache: Cache,
        clock: Clock,
        recorder: Recorder,
        planners: Mapping[Resource, Planner],
        refusals: Refusals,
        applied: AppliedTemplates,
    ) -> None:
        self._client = client
        self._cache = cache
        self._clock = clock
        self._recorder = recorder
        self._planners = planners
        self._refusals = refusals
        self._applied = applied
        self._outcomes: Counter[tuple[str, Outcome]] = Counter()

    async def reconcile(self, key: Key) -> Result:
        """Make one pass. Every failure is a result, never an exception."""
        obj = self._cache.get(key)
        if obj is None or "deletionTimestamp" in obj["metadata"]:
            result = Result("gone")
        else:
            result = await self._guarded(key, obj)
        self._outcomes[key.resource.kind, result.outcome] += 1
        return result

    def statistics(self) -> Mapping[tuple[str, Outcome], int]:
        """Return the number of passes by kind and outcome."""
        return dict(self._outcomes)

    async def _guarded(self, key: Key, obj: JSONObject) -> Result:
        try:
            return await self._pass(key, obj)
        except Conflict as error:
            logger.info("the object has changed meanwhile: %s", error)
            return Result("conflict", retry=True)
        except (Invalid, Forbidden, NameTaken) as error:
            self._refused(obj, error)
            return Result("refused", after=SLOW_RETRY_SECONDS, retry=True)
        except APIError as error:
            logger.warning("the API server refused or did not answer: %s", error)
            return Result("unavailable", after=error.retry_after, retry=True)
        except ValidationError as error:
            logger.exception("an object cannot be read")
            self._recorder.record(obj, Event("Warning", "InvalidObject", _first_error(error)))
            return Result("failed", after=SLOW_RETRY_SECONDS, retry=True)
        except Exception:
            # A bug in one plan must not stop the passes over other objects.
            logger.exception("the pass failed")
            return Result("failed", retry=True)

    async def _pass(self, key: Key, obj: JSONObject) -> Result:
        now = self._clock.now()
        # Whole seconds, as in metav1.Time.
        plan = self._planners[key.resource](obj, now.replace(microsecond=0))
        if plan.marks:
            for mark in plan.marks:
                await self._act(mark)
            return Result("acted")
        stored = obj.get("status", {})
        if plan.status != stored:
            return await self._write_status(obj, stored, plan)
        after, refused, taken = _seconds_until(plan.requeue_at, now), False, False
        for action in plan.actions:
            try:
                await self._act(action)
            except (Invalid, Forbidden, NameTaken) as error:
                self._refused(obj, error)
                refused, taken = True, taken or isinstance(error, NameTaken)
                if not (isinstance(action, Create | Delete) and action.is_record):
                    break
        if refused:
            # What is due sooner is not put off by it.
            soon = after is not None and after < SLOW_RETRY_SECONDS
            # A person makes room for a name, and nothing that is watched tells of it: no growing pause for that.
            return Result("refused", after=after if soon else SLOW_RETRY_SECONDS, retry=not soon and not taken)
        return Result("acted" if plan.actions else "idle", after=after)

    def _refused(self, obj: JSONObject, error: Exception) -> None:
        logger.warning("refused: %s", error)
        self._recorder.record(obj, Event("Warning", "WriteRefused", str(error)))

    async def _write_status(self, obj: JSONObject, stored: Mapping[str, Any], plan: Plan) -> Result:
        try:
            reply = await self._client.patch_status(obj, merge_patch(stored, plan.status))
        except NotFound:
            await self._refresh(obj)
            return Result("gone")
        except Conflict:
            await self._refresh(obj)
            raise
        self._cache.put(reply)
        if reply.get("status", {}) != plan.status:
            # No stored status justifies the actions, and repeating at once would loop.
            logger.error("the API server stored another status than was written: are the CRDs of this version?")
            return Result("unstored", after=SLOW_RETRY_SECONDS, retry=True)
        for event in plan.events:
            # Events are best effort and end after an hour; the line with the decision's numbers stays.
            logger.info("%s", event.message, extra={"decision": event.reason, "type": event.type})
            self._recorder.record(reply, event)
        return Result("written")

    async def _act(self, action: Action) -> None:
        try:
            match action:
                case Create(manifest):
                    await self._create(manifest)
                case Apply(manifest, field_manager) if _is_fenced(manifest):
                    await self._apply(manifest, field_manager)
                case Apply(manifest):
                    # Without a fence a forced apply would take over an object of another owner.
                    await create_or_adopt(self._client, self._cache, manifest)
                case Replace(manifest):
                    await self._replace(manifest)
                case Adopt(manifest):
                    self._cache.put(await self._client.patch_owners(manifest))
                case Delete(manifest):
                    await self._client.delete(manifest)
        except (Conflict, NotFound):
            await self._refresh(action.manifest)
            raise

    async def _apply(self, manifest: Mapping[str, Any], field_manager: str) -> None:
        try:
            reply = await self._client.apply(manifest, field_manager)
            self._cache.put(reply)
            self._applied.record(manifest, reply)
        except NotFound:
            # Pods go at any time, as when a node is drained; what is gone needs no change, and the others need theirs.
            if manifest["kind"] != "Pod":
                raise
            await self._refresh(manifest)

    async def _replace(self, manifest: Mapping[str, Any]) -> None:
        """Write the difference to the cached object; if that is not the observed one, the API server refuses it."""
        stored = self._cache.get(key_of(manifest)) or {}
        self._cache.put(await self._client.patch_spec(manifest, merge_patch(stored.get("spec", {}), manifest["spec"])))

    async def _create(self, manifest: Mapping[str, Any]) -> None:
        try:
            await create_or_adopt(self._client, self._cache, manifest)
        except (Invalid, Forbidden, NameTaken) as error:
            # The next plan says it.
            self._refusals.record(manifest, str(error) if isinstance(error, NameTaken) else error.message)
            raise
        self._refusals.forget(manifest)

    async def _refresh(self, manifest: Mapping[str, Any]) -> None:
        """Read an object live after a write showed that it differs from the cache, in case an event was missed."""
        key = key_of(manifest)
        try:
            self._cache.put(await self._client.get(key.resource, key.name, key.namespace))
        except NotFound:
            known = self._cache.get(key)
            if known is not None:
                self._cache.delete(known)
        except APIError as error:
            logger.info("cannot refresh %s: %s", key, error)


def _is_fenced(manifest: Mapping[str, Any]) -> bool:
    """Return whether an apply is fenced by uid: it meets the observed object, whose content may differ, or fails."""
    return "uid" in manifest["metadata"]


def _seconds_until(due: datetime | None, now: datetime) -> float | None:
    if due is None:
        return None
    return max(SHORTEST_WAIT_SECONDS, (due - now).total_seconds())


def _first_error(error: ValidationError) -> str:
    first = error.errors(include_url=False, include_input=False)[0]
    return f"{error.title}.{'.'.join(str(part) for part in first['loc'])}: {first['msg']}"
