"""Publishes the CA of the intake as a ConfigMap where senders of alerts run and mount it. Only the leader publishes.

A pod mounts ConfigMaps of its own namespace only. The kubelet updates the mounted file, and Alertmanager reads it for
new connections.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from steadfit.core.names import MANAGED_BY, MANAGER
from steadfit.kube.api import FIELD_MANAGER
from steadfit.kube.client import APIError, KubeClient, NotFound
from steadfit.kube.resources import CONFIG_MAPS

logger = logging.getLogger(__name__)

NAME = "steadfit-ca"
KEY = "ca.crt"
CHECK_SECONDS = 30.0
"""Interval of the checks: a replaced CA is published, and a deleted ConfigMap created again, within a minute."""


@dataclass(frozen=True, slots=True)
class CAStatistics:
    """Counts of the published ConfigMaps."""

    writes: int
    unpublished: int
    """Namespaces whose ConfigMap could not be read or written in the last check."""


class CAPublisher:
    """Keeps the ConfigMaps in step with the CA bundle."""

    def __init__(self, client: KubeClient, bundle: Callable[[], str], namespaces: Sequence[str]) -> None:
        self._client = client
        self._bundle = bundle
        self._namespaces = namespaces
        self._writes = 0
        self._unpublished = 0

    async def run(self) -> None:
        """Publish until cancelled."""
        while True:
            published = [await self._publish(namespace) for namespace in self._namespaces]
            self._unpublished = published.count(False)
            await asyncio.sleep(CHECK_SECONDS)

    def statistics(self) -> CAStatistics:
        """Return counts of the published ConfigMaps."""
        return CAStatistics(self._writes, self._unpublished)

    async def _publish(self, namespace: str) -> bool:
        data = {KEY: self._bundle()}
        metadata = {"name": NAME, "namespace": namespace, "labels": {MANAGED_BY: MANAGER}}
        try:
            if await self._stored(namespace) != data:
                manifest = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": data}
                await self._client.apply(manifest, FIELD_MANAGER)
                self._writes += 1
                logger.info("published the CA certificate in the ConfigMap %s/%s", namespace, NAME)
        except APIError as error:
            logger.warning("the CA certificate cannot be published in the ConfigMap %s/%s: %s", namespace, NAME, error)
            return False
        return True

    async def _stored(self, namespace: str) -> Any:
        try:
            return (await self._client.get(CONFIG_MAPS, NAME, namespace)).get("data")
        except NotFound:
            return None
