"""Leader election by a Lease: one replica reconciles, the others wait.

Clocks of different machines are never compared. A candidate measures, by its own monotonic clock, how long the Lease
has not changed; a holder gives up when it has not renewed for `renew_seconds`, counted from before the request that
succeeded. As that is shorter than the Lease, the holder has stopped before another replica may start. (What a paused
process may still send after that is fenced by resourceVersions and uids.)
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any

from .cache import resource_version
from .client import AlreadyExists, APIError, Conflict, KubeClient, NotFound
from .clock import Clock
from .resources import LEASES
from .restored import require_newer

logger = logging.getLogger(__name__)


class LeaseLost(Exception):  # noqa: N818 - a fact, as NotFound is
    """Another replica may hold the Lease: stop at once."""


@dataclass(frozen=True, slots=True)
class LeaseSettings:
    """Name, holder and times of a Lease."""

    name: str
    namespace: str
    identity: str
    """Unique to this process: a restarted container is another candidate."""
    duration_seconds: float = 15.0
    """After this time without a change the Lease is free."""
    renew_seconds: float = 10.0
    """After this time without a successful renewal the holder stops."""
    retry_seconds: float = 2.0
    """Time between two renewals, or two reads of another holder's Lease."""

    def __post_init__(self) -> None:
        """Refuse times with which two replicas could hold the Lease at once."""
        if not self.retry_seconds < self.renew_seconds < self.duration_seconds:
            raise ValueError("the lease needs retry_seconds < renew_seconds < duration_seconds")


@dataclass(frozen=True, slots=True)
class LeaseStatistics:
    """Counts of the election."""

    held: bool
    renewals: int
    failures: int
    """Requests for the Lease that failed."""
    renewed_age_seconds: float | None
    """Time since the last successful renewal began."""


class Election:
    """One candidate: `acquire`, then `hold` until it raises `LeaseLost`, then `release`."""

    def __init__(self, client: KubeClient, clock: Clock, settings: LeaseSettings) -> None:
        self._client = client
        self._clock = clock
        self._settings = settings
        self._lease: dict[str, Any] | None = None
        self._changed = 0.0
        self._renewed: float | None = None
        self._held = False
        self._seen = 0
        self._renewals = 0
        self._failures = 0

    async def acquire(self) -> None:
        """Wait until this candidate holds the Lease."""
        logger.info("waiting for the lease %s", self._settings.name)
        while not self._held:
            self._held = await self._attempt(self._take)
            if not self._held:
                await asyncio.sleep(self._settings.retry_seconds)
        logger.info("leading as %s", self._settings.identity)

    async def hold(self) -> None:
        """Renew without end.

        Raises
        ------
        LeaseLost
            If it was not renewed in time, or another candidate holds it.
        Restored
            If the Lease is older than the last renewal: the cluster was restored to an older state.
        """
        try:
            while True:
                await asyncio.sleep(min(self._settings.retry_seconds, max(0.0, self._left())))
                if self._left() <= 0:
                    raise LeaseLost(f"not renewed for {self._settings.renew_seconds:g} s")
                await self._attempt(self._renew)
        finally:
            self._held = False

    async def release(self) -> None:
        """Release the Lease, so that the next holder need not wait; if that fails, it expires."""
        lease = self._lease
        if lease is None or _spec(lease).get("holderIdentity") != self._settings.identity:
            return
        self._held = False
        spec = {**_spec(lease), "holderIdentity": "", "leaseDurationSeconds": 1}
        try:
            async with asyncio.timeout(self._settings.retry_seconds):
                self._lease = await self._client.replace({**lease, "spec": spec})
        except (APIError, TimeoutError) as error:
            logger.info("the lease was not released: %s", error)

    def statistics(self) -> LeaseStatistics:
        """Return counts of the election."""
        age = None if self._renewed is None else asyncio.get_running_loop().time() - self._renewed
        return LeaseStatistics(self._held, self._renewals, self._failures, age)

    def _left(self) -> float:
        """Return the seconds until the holder must have stopped."""
        if self._renewed is None:
            return 0.0
        return self._renewed + self._settings.renew_seconds - asyncio.get_running_loop().time()

    async def _attempt(self, step: Callable[[], Awaitable[bool]]) -> bool:
        """Run one step within the time left; a request that hangs must not outlive the Lease."""
        seconds = max(0.0, self._left()) if self._held else self._settings.renew_seconds
        try:
            async with asyncio.timeout(seconds):
                return await step()
        except (APIError, TimeoutError) as error:
            self._failures += 1
            logger.warning("cannot update the lease %s: %s", self._settings.name, error or "no answer in time")
            return False

    async def _take(self) -> bool:
        try:
            self._observe(await self._client.get(LEASES, self._settings.name, self._settings.namespace))
        except NotFound:
            return await self._write(None)
        assert self._lease is not None  # noqa: S101 - for the type checker
        spec = _spec(self._lease)
        waited = asyncio.get_running_loop().time() - self._changed
        held = spec.get("holderIdentity") not in (None, "", self._settings.identity)
        if held and waited <= float(spec.get("leaseDurationSeconds", 0)):
            return False
        return await self._write(self._lease)

    async def _renew(self) -> bool:
        if await self._write(self._lease):
            return True
        # It has changed: by ourselves, if the reply of a renewal was lost, or by the next leader.
        lease = await self._client.get(LEASES, self._settings.name, self._settings.namespace)
        require_newer(f"the Lease {self._settings.name}", resource_version(lease), self._seen)
        self._observe(lease)
        holder = _spec(self._lease or {}).get("holderIdentity")
        if holder != self._settings.identity:
            raise LeaseLost(f"{holder or 'no one'} holds it")
        return await self._write(self._lease)

    async def _write(self, lease: Mapping[str, Any] | None) -> bool:
        started = asyncio.get_running_loop().time()
        try:
            if lease is None:
                self._lease = await self._client.create(self._manifest({}, {}))
            else:
                self._lease = await self._client.replace(self._manifest(lease["metadata"], _spec(lease)))
        except (Conflict, AlreadyExists):
            return False
        self._seen = max(self._seen, resource_version(self._lease))
        self._renewed = self._changed = started
        self._renewals += 1
        return True

    def _observe(self, lease: dict[str, Any]) -> None:
        known = self._lease
        if known is None or known["metadata"]["resourceVersion"] != lease["metadata"]["resourceVersion"]:
            self._lease = lease
            self._changed = asyncio.get_running_loop().time()

    def _manifest(self, metadata: Mapping[str, Any], spec: Mapping[str, Any]) -> dict[str, Any]:
        now = self._clock.now().strftime("%Y-%m-%dT%H:%M:%S.%fZ")
        ours = spec.get("holderIdentity") == self._settings.identity
        return {
            "apiVersion": LEASES.api_version,
            "kind": LEASES.kind,
            "metadata": {**metadata, "name": self._settings.name, "namespace": self._settings.namespace},
            "spec": {
                "holderIdentity": self._settings.identity,
                "leaseDurationSeconds": int(self._settings.duration_seconds),
                "acquireTime": spec["acquireTime"] if ours else now,
                "renewTime": now,
                "leaseTransitions": int(spec.get("leaseTransitions", -1)) + (0 if ours else 1),
            },
        }


def _spec(lease: Mapping[str, Any]) -> dict[str, Any]:
    return dict(lease.get("spec") or {})
