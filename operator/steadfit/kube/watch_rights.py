"""The rights that the watches need: a watch that is forbidden says so nowhere but in kopf's log.

`Resync` finds out which lists are forbidden, because it makes them. A watch is made in another thread, is tried again
without end, and may be of a resource that no list fills (Events); so the API server is asked for the rights themselves.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from random import Random

from .client import APIError, Forbidden, KubeClient
from .resources import SELF_SUBJECT_ACCESS_REVIEWS, Resource
from .resync import JITTER, MAX_RETRY_SECONDS, RETRY_SECONDS

logger = logging.getLogger(__name__)

VERBS = ("list", "watch")
"""Each watch begins with a list."""


class WatchRights:
    """Whether the operator's role may list and watch some resources, in some namespaces or in all."""

    def __init__(
        self, client: KubeClient, resources: Sequence[Resource], namespaces: Sequence[str], rng: Random
    ) -> None:
        self._client = client
        self._needed = [
            (verb, resource, namespace)
            for resource in resources
            for verb in VERBS
            for namespace in (namespaces if resource.namespaced and namespaces else (None,))
        ]
        self._rng = rng
        self._missing: set[str] = set()

    async def run(self) -> None:
        """Ask for each right until it is granted, then wait without end: one that is taken away stops the lists too."""
        delay, needed = RETRY_SECONDS, self._needed
        while needed := [one for one in needed if not await self._may(*one)]:
            await asyncio.sleep(delay * (1 + JITTER * self._rng.random()))
            delay = min(MAX_RETRY_SECONDS, delay * 2)
        await asyncio.Event().wait()

    def missing(self) -> list[str]:
        """Return verbs and resources that the role lacks."""
        return sorted(self._missing)

    async def _may(self, verb: str, resource: Resource, namespace: str | None) -> bool:
        attributes = {"verb": verb, "group": resource.group, "resource": resource.plural}
        right = f"{verb} {resource.full_name}"
        try:
            review = await self._client.create(
                {
                    "apiVersion": SELF_SUBJECT_ACCESS_REVIEWS.api_version,
                    "kind": SELF_SUBJECT_ACCESS_REVIEWS.kind,
                    "metadata": {},
                    "spec": {"resourceAttributes": attributes | ({"namespace": namespace} if namespace else {})},
                }
            )
        except Forbidden:
            # A cluster without the role system:basic-user: nothing is known, so nothing is called missing.
            return True
        except APIError as error:
            logger.warning("cannot read the right to %s: %s", right, error)
            return False
        if review.get("status", {}).get("allowed"):
            self._missing.discard(right)
            return True
        self._missing.add(right)
        logger.warning("the role of the operator lacks the right to %s: apply the roles of this release", right)
        return False
