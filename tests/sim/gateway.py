"""Gateways: they take every route a moment after it was written; what must hold of one is judged at every commit."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from steadfit.core import names
from steadfit.kube.client import APIError

from .objects import JSON, Ref
from .simulated_cluster import SimulatedCluster
from .starting_objects import NAME
from .store import Change

MANAGER = "gateway-controller"
GROUP = "steadfit.dev/v1alpha1"
SECONDS = 3.0
"""How long a Gateway takes to look at a route."""


class Gateways:
    """The CRDs of the Gateway API and a controller, installed into a cluster."""

    def __init__(self, cluster: SimulatedCluster) -> None:
        self.deaf = False
        """Whether it looks at no route."""
        self.word = "True"
        """What it says of each."""
        self._world = cluster
        cluster.store.unserved.discard("HTTPRoute")
        cluster.store.listeners.append(self._on_change)

    def _on_change(self, change: Change) -> None:
        if change.ref.kind != "HTTPRoute" or change.type == "DELETED":
            return
        if change.old is None or change.old["spec"] != change.new["spec"]:
            for sentence in self._judge(change):
                self._world.properties.violations.append(f"at {change.at:.1f} s, {change.ref}: {sentence}")
            generation = change.new["metadata"]["generation"]
            self._world.loop.call_later(SECONDS, self._accept, change.ref, generation)

    def look(self, cluster: SimulatedCluster) -> None:
        """Look at the route as it is."""
        ref = cluster.ref("HTTPRoute", NAME)
        route = cluster.store.look(ref)
        if route is not None:
            self._accept(ref, route["metadata"]["generation"])

    def _accept(self, ref: Ref, generation: int) -> None:
        if self.deaf:
            return
        conditions = [
            {"type": kind, "status": self.word, "reason": kind, "observedGeneration": generation}
            for kind in ("Accepted", "ResolvedRefs")
        ]
        route = self._world.store.look(ref)
        if route is None:
            return
        parents = [
            {"parentRef": parent, "controllerName": "example.com/gateway", "conditions": conditions}
            for parent in route["spec"]["parentRefs"]
        ]
        try:
            self._world.store.set_status(ref, {"parents": parents}, MANAGER)
        except APIError:
            return

    def _judge(self, change: Change) -> Iterator[str]:
        before, after = weights(change.old), weights(change.new)
        if sum(after.values()) != 100:
            yield f"the weights are {after}"
        for revision in after:
            service = Ref("v1", "Service", change.ref.namespace, names.workload_name(change.ref.name, revision))
            if self._world.store.look(service) is None:
                yield f"it names a Service of {revision}, which is not there"
        deployment = self._world.store.look(Ref(GROUP, "ModelDeployment", change.ref.namespace, change.ref.name))
        if deployment is None:
            return
        status: Mapping[str, Any] = deployment["status"]
        live, candidate = status.get("live", {}).get("revision"), status.get("candidate", {})
        may = {live}
        if candidate.get("analysedSince") and candidate.get("championRevision") == live:
            may.add(candidate["revision"])
        quarantined = {entry["revision"] for entry in status.get("quarantine", ())}
        for revision, weight in after.items():
            if weight > 0 and revision not in may:
                yield f"{weight} % of the traffic go to {revision}, which is neither live nor tried"
            if revision in quarantined and weight > before.get(revision, 0):
                yield f"more of the traffic goes to {revision}, which is in quarantine"


def weights(route: Mapping[str, Any] | None) -> dict[str, int]:
    """Return the shares of a route, by revision."""
    rules = route["spec"]["rules"] if route else []
    prefix = names.workload_name(NAME, "")
    return {one["name"].removeprefix(prefix): one["weight"] for rule in rules for one in rule["backendRefs"]}


def shares(cluster: SimulatedCluster) -> dict[int, int]:
    """Return the shares of the route that are not nothing, by version number."""
    route: JSON | None = cluster.find("HTTPRoute", NAME)
    found = {}
    for revision, weight in weights(route).items():
        workload = cluster.find("Deployment", names.workload_name(NAME, revision))
        if weight > 0 and workload is not None:
            found[int(workload["metadata"]["labels"][names.VERSION])] = weight
    return found
