"""Publishes the rules of all ModelDeployments as one object for Prometheus. Only the leader publishes.

The object is written when it would differ, and compared every few minutes, so that an edit or a deletion by others does
not last. A failure is retried in the next round; Prometheus keeps the rules that it has.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from steadfit.api.modeldeployment import ModelDeployment
from steadfit.core.names import MANAGED_BY, MANAGER
from steadfit.core.rules.file import MAX_BYTES, RuleFile, rule_file
from steadfit.core.rules.groups import rule_groups
from steadfit.kube.api import FIELD_MANAGER
from steadfit.kube.client import APIError, KubeClient, NotFound
from steadfit.kube.resources import CONFIG_MAPS, PROMETHEUS_RULES

logger = logging.getLogger(__name__)

NAME = "steadfit-rules"
KEY = "steadfit.rules.yml"
POLL_SECONDS = 2.0
RETRY_SECONDS = 10.0
REPAIR_SECONDS = 300.0

Form = Literal["ConfigMap", "PrometheusRule", "Off"]


@dataclass(frozen=True, slots=True)
class RulesStatistics:
    """Counts of what was published."""

    rules: int
    refused: int
    """ModelDeployments whose alerts did not fit into the object."""
    writes: int
    failures: int


class RulesPublisher:
    """Keeps the published rules in step with the ModelDeployments."""

    def __init__(
        self,
        client: KubeClient,
        deployments: Callable[[], Sequence[ModelDeployment]],
        *,
        namespace: str,
        form: Form,
        interval_seconds: float,
        limit: int = MAX_BYTES,
    ) -> None:
        self._client = client
        self._deployments = deployments
        self._namespace = namespace
        self._form = form
        self._interval_seconds = interval_seconds
        self._limit = limit
        self._seen: object = None
        self._file = RuleFile((), "")
        self._due = 0.0
        """When the object is compared next although nothing has changed."""
        self._writes = 0
        self._failures = 0

    async def run(self) -> None:
        """Publish until cancelled."""
        while True:
            if self._form != "Off":
                try:
                    await self.reconcile()
                except Exception:
                    # A bug in the rules of one monitor must not end the leader.
                    logger.exception("rendering the rules for Prometheus failed")
            await asyncio.sleep(POLL_SECONDS)

    async def reconcile(self) -> None:
        """Write the object if it is not known to be up to date."""
        now = asyncio.get_running_loop().time()
        if not self._render() and now < self._due:
            return
        self._due = now + RETRY_SECONDS
        manifest = self._manifest()
        try:
            if not await self._is_published(manifest):
                await self._client.apply(manifest, FIELD_MANAGER)
                self._writes += 1
                logger.info("published %d rules", self._file.rules)
        except APIError as error:
            self._failures += 1
            logger.warning("the rules for Prometheus cannot be published: %s", error)
            return
        self._due = now + REPAIR_SECONDS

    def statistics(self) -> RulesStatistics:
        """Return counts of what was published."""
        return RulesStatistics(self._file.rules, len(self._file.refused), self._writes, self._failures)

    def _render(self) -> bool:
        """Render the rules if a spec or a level has changed; return whether the rules have changed."""
        deployments = [one for one in self._deployments() if one.metadata.deletion_timestamp is None]
        seen = frozenset((one.uid, one.metadata.generation, _levels(one)) for one in deployments)
        if seen == self._seen:
            return False
        before, self._file = self._file, rule_file(rule_groups(deployments), self._interval_seconds, self._limit)
        self._seen = seen
        if self._file.refused and self._file.refused != before.refused:
            logger.error(
                "the rules do not fit into one object; the alerts of %d ModelDeployments are not published: %s",
                len(self._file.refused),
                ", ".join(self._file.refused[:20]),
            )
        return self._file != before

    async def _is_published(self, manifest: Mapping[str, Any]) -> bool:
        resource = CONFIG_MAPS if self._form == "ConfigMap" else PROMETHEUS_RULES
        try:
            stored = await self._client.get(resource, NAME, self._namespace)
        except NotFound:
            return False
        if self._form == "ConfigMap":
            return bool((stored.get("data") or {}).get(KEY) == manifest["data"][KEY])
        return bool(stored.get("spec") == manifest["spec"])

    def _manifest(self) -> dict[str, Any]:
        metadata = {"name": NAME, "namespace": self._namespace, "labels": {MANAGED_BY: MANAGER}}
        if self._form == "ConfigMap":
            return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": {KEY: self._file.text}}
        return {
            "apiVersion": PROMETHEUS_RULES.api_version,
            "kind": PROMETHEUS_RULES.kind,
            "metadata": metadata,
            "spec": self._file.spec,
        }


def _levels(deployment: ModelDeployment) -> tuple[object, ...] | None:
    """Return what relative levels follow: the live version, by its digest, and its scores; None without such levels."""
    live, known = deployment.status.live, deployment.status.live_scores
    if known is None:
        return None
    scores = tuple((item.name, item.value) for item in known.metrics)
    return known.number, known.digest, scores, live.digest if live else None
