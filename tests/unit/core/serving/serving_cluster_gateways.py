"""Gateways in the world of the serving side: the HTTPRoute, a Service a revision, and what must never happen."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from steadfit.core import names
from steadfit.core.types import Action, Apply, Create, Delete

if TYPE_CHECKING:
    from .serving_cluster import World

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


def shares(world: World) -> dict[int, int]:
    """Return the weights of the route, by version number."""
    numbers = {
        item["metadata"]["labels"][names.REVISION]: int(item["metadata"]["labels"][names.VERSION])
        for item in world.workloads.values()
    }
    return {numbers[revision]: weight for revision, weight in weights(world.route).items()}


def carry_out(world: World, action: Action, manifest: dict[str, Any]) -> bool:
    """Do to the route, or to a revision's Service, what the API server would."""
    if manifest["kind"] == "HTTPRoute":
        return _write(world, action, manifest, world.route, lambda route: _put_route(world, route))
    name = manifest["metadata"]["name"]

    def put(service: dict[str, Any] | None) -> None:
        if service is None:
            assert name.removeprefix(PREFIX) not in weights(world.route), "a Service goes that the route names"
            del world.services[name]
        else:
            world.services[name] = service

    return _write(world, action, manifest, world.services.get(name), put)


def deleted(world: World, workload: dict[str, Any]) -> None:
    """Check that what is deleted gets no requests from Gateways."""
    scaled(world, workload, 0)


def scaled(world: World, workload: dict[str, Any], replicas: int) -> None:
    """Check that what has weight keeps pods."""
    weight = weights(world.route).get(workload["metadata"]["labels"][names.REVISION], 0)
    wanted = world.deployment["spec"]["server"]["replicas"]
    assert replicas > 0 or weight == 0 or wanted == 0, "what has weight loses its pods"


def _put_route(world: World, route: dict[str, Any] | None) -> None:
    before, world.route = weights(world.route), route
    if route is None:
        assert "traffic" not in world.deployment["spec"]
        return
    after, status = weights(route), world.status
    assert sum(after.values()) == 100, f"the weights are {after}"
    assert {f"{PREFIX}{revision}" for revision in after} <= world.services.keys(), "the route names what is not there"
    barred = {entry.revision for entry in status.quarantine}
    live, candidate = status.live, status.candidate
    assert live is not None
    allowed = {live.revision}
    if candidate and candidate.champion_revision == live.revision and candidate.analysed_since:
        allowed.add(candidate.revision)
    for revision, weight in after.items():
        if weight == 0:
            continue
        assert revision in allowed, "weight for what is neither live nor tried"
        # What was rolled back answers until something good can: an answer is better than none.
        assert revision not in barred or (revision == live.revision and before.get(revision)), "weight in quarantine"
        assert revision == live.revision or world.fleet.ready_pods(revision) > 0, "weight for what has no ready pods"
    others = [old for old, weight in before.items() if weight and old != live.revision and world.fleet.ready_pods(old)]
    if others and not before.get(live.revision):
        assert world.fleet.is_complete(live.revision), "the route moved before all pods were ready"


def _write(
    world: World,
    action: Action,
    manifest: dict[str, Any],
    existing: dict[str, Any] | None,
    put: Callable[[dict[str, Any] | None], None],
) -> bool:
    metadata = manifest["metadata"]
    world.counter += 1
    if isinstance(action, Create):
        assert world.gateway_api or manifest["kind"] == "Service"
        assert existing is None, f"{metadata['name']} is created although it was observed"
        metadata |= {"uid": f"uid-{world.counter}", "generation": 1, "resourceVersion": str(world.counter)}
        put(manifest)
        return True
    assert existing is not None
    for fence in ("uid", "resourceVersion"):
        assert metadata[fence] == existing["metadata"][fence]
    if isinstance(action, Delete):
        put(None)
        return True
    assert isinstance(action, Apply)
    changed = manifest["spec"] != existing["spec"]
    kept = {**existing["metadata"], "resourceVersion": str(world.counter)}
    kept["generation"] += changed
    kept["annotations"] = {**kept.get("annotations", {}), **metadata.get("annotations", {})}
    put({**existing, "metadata": kept, "spec": manifest["spec"]})
    return True
