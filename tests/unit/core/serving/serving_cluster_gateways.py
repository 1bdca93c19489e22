"""Gateways in the cluster of the serving side: the HTTPRoute, a Service a revision, and what must never happen."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from steadfit.core import names
from steadfit.core.serving.quarantine import is_revision_quarantined
from steadfit.core.types import Action, Create, Delete, Replace

from . import serving_cluster_checks

if TYPE_CHECKING:
    from .serving_cluster import ServingCluster

TRAFFIC = {"gatewayAPI": {"parentRefs": [{"name": "public"}]}}
PREFIX = "flights-"


def accepts(route: dict[str, Any]) -> None:
    """Do what a Gateway does that takes the route, and names its Services."""
    answers(route, route["metadata"]["generation"])


def answers(route: dict[str, Any], generation: int, **conditions: str) -> None:
    """Let every Gateway that the route names say something of a generation of it."""
    said = {"Accepted": "True", "ResolvedRefs": "True", **conditions}
    route["status"] = {
        "parents": [
            {
                "parentRef": parent,
                "controllerName": "example.com/gateway",
                "conditions": [
                    {
                        "type": kind,
                        "status": status,
                        "reason": "Because",
                        "observedGeneration": generation,
                        "message": "",
                    }
                    for kind, status in said.items()
                ],
            }
            for parent in route["spec"].get("parentRefs", [])
        ]
    }


def weights(route: dict[str, Any] | None) -> dict[str, int]:
    """Return the weights of our route, by revision."""
    if route is None or "ownerReferences" not in route["metadata"]:
        return {}
    return {
        backend["name"].removeprefix(PREFIX): backend["weight"]
        for rule in route["spec"]["rules"]
        for backend in rule["backendRefs"]
    }


def shares(cluster: ServingCluster) -> dict[int, int]:
    """Return the weights of the route, by version number."""
    numbers = {
        item["metadata"]["labels"][names.REVISION]: int(item["metadata"]["labels"][names.VERSION])
        for item in cluster.workloads.values()
    }
    return {numbers[revision]: weight for revision, weight in weights(cluster.route).items()}


def carry_out(cluster: ServingCluster, action: Action, manifest: dict[str, Any]) -> bool:
    """Do to the route, or to a revision's Service, what the API server would."""
    if manifest["kind"] == "HTTPRoute":
        return _write(cluster, action, manifest, cluster.route, lambda route: _put_route(cluster, route))
    name = manifest["metadata"]["name"]

    def put(service: dict[str, Any] | None) -> None:
        if service is None:
            assert name.removeprefix(PREFIX) not in weights(cluster.route), "a Service goes that the route names"
            del cluster.services[name]
        else:
            cluster.services[name] = service

    return _write(cluster, action, manifest, cluster.services.get(name), put)


def deleted(cluster: ServingCluster, workload: dict[str, Any]) -> None:
    """Check that what is deleted gets no requests from Gateways."""
    scaled(cluster, workload, 0)


def scaled(cluster: ServingCluster, workload: dict[str, Any], replicas: int) -> None:
    """Check that what has weight keeps pods."""
    weight = weights(cluster.route).get(workload["metadata"]["labels"][names.REVISION], 0)
    wanted = cluster.deployment["spec"]["server"]["replicas"]
    assert replicas > 0 or weight == 0 or wanted == 0, "what has weight loses its pods"


def _put_route(cluster: ServingCluster, route: dict[str, Any] | None) -> None:
    before, cluster.route = weights(cluster.route), route
    if route is None:
        assert "traffic" not in cluster.deployment["spec"]
        return
    after, status = weights(route), cluster.status
    assert sum(after.values()) == 100, f"the weights are {after}"
    assert {f"{PREFIX}{revision}" for revision in after} <= cluster.services.keys(), "the route names what is not there"
    quarantined = {entry.revision for entry in status.quarantine}
    live, candidate = status.live, status.candidate
    assert live is not None
    allowed = {live.revision}
    if candidate and candidate.champion_revision == live.revision and candidate.analysed_since:
        allowed.add(candidate.revision)
    instead = serving_cluster_checks.stand_ins(cluster)
    for revision, weight in after.items():
        if weight == 0 or (weight == 100 and revision in instead):
            continue
        if serving_cluster_checks.is_going_back_to(cluster, revision):
            continue
        assert revision in allowed, "weight for what is neither live nor tried"
        # What was rolled back answers until something good can: an answer is better than none.
        assert revision not in quarantined or (revision == live.revision and before.get(revision)), (
            "weight in quarantine"
        )
        assert revision == live.revision or cluster.fleet.ready_pods(revision) > 0, "weight for what has no ready pods"
    others = [
        old for old, weight in before.items() if weight and old != live.revision and cluster.fleet.ready_pods(old)
    ]
    if others and not before.get(live.revision) and after.get(live.revision):
        bad = all(is_revision_quarantined(old, status, cluster.fleet) for old in others)
        assert bad or cluster.fleet.has_enough(live.revision), "the route moved before enough pods were ready"


def _write(
    cluster: ServingCluster,
    action: Action,
    manifest: dict[str, Any],
    existing: dict[str, Any] | None,
    put: Callable[[dict[str, Any] | None], None],
) -> bool:
    metadata = manifest["metadata"]
    cluster.counter += 1
    if isinstance(action, Create):
        assert cluster.gateway_api or manifest["kind"] == "Service"
        assert existing is None, f"{metadata['name']} is created although it was observed"
        metadata |= {"uid": f"uid-{cluster.counter}", "generation": 1, "resourceVersion": str(cluster.counter)}
        put(manifest)
        return True
    assert existing is not None
    for fence in ("uid", "resourceVersion"):
        assert metadata[fence] == existing["metadata"][fence]
    if isinstance(action, Delete):
        put(None)
        return True
    assert isinstance(action, Replace)
    changed = manifest["spec"] != existing["spec"]
    kept = {**existing["metadata"], "resourceVersion": str(cluster.counter)}
    kept["generation"] += changed
    kept["annotations"] = {**kept.get("annotations", {}), **metadata.get("annotations", {})}
    put({**existing, "metadata": kept, "spec": manifest["spec"]})
    return True
