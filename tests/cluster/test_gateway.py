"""The HTTPRoute of a ModelDeployment, by the CRDs of the Gateway API.

No Gateway takes these routes: what one says of a route, the test writes into its status, as a controller would.
What is proved is that the API server takes the route in every phase of a canary, and that the weights are as asked.
"""

from __future__ import annotations

import json
import time
from typing import Any

from tests.support.kubectl import Kubectl, Manifest, condition

from .recipes import act, live, model_deployment, trained
from .test_canary import another, candidate, selector

TRAFFIC = {"gatewayAPI": {"parentRefs": [{"name": "public"}], "hostnames": ["model.example.com"]}}
FOREIGN: Manifest = {
    "apiVersion": "gateway.networking.k8s.io/v1",
    "kind": "HTTPRoute",
    "metadata": {"name": "model"},
    "spec": {"rules": [{"backendRefs": [{"name": "elsewhere", "port": 80}]}]},
}


def deployment(*weights: int, label: str = "a", **spec: Any) -> Manifest:
    """A ModelDeployment behind a Gateway, whose candidates take these shares; another label is another revision."""
    steps = [{"weight": weight} for weight in weights]
    return model_deployment(
        server={"replicas": 1, **another(label)}, strategy={"canary": {"steps": steps}}, traffic=TRAFFIC, **spec
    )


def weights(route: Manifest) -> dict[str, int]:
    """The shares by revision."""
    (rule,) = route["spec"]["rules"]
    return {backend["name"].removeprefix("model-"): backend["weight"] for backend in rule["backendRefs"]}


def shared(kubectl: Kubectl, wished: dict[str, int]) -> Manifest:
    """Wait until the route shares the traffic out so, and return it."""
    return kubectl.wait_for("httproute", "model", lambda r: weights(r) == wished, timeout=120, what=f"{wished}")


def accept(kubectl: Kubectl) -> None:
    """Do what a Gateway's controller does that takes the route as it is now."""
    route = kubectl.get("httproute", "model")
    assert route is not None
    now = {"observedGeneration": route["metadata"]["generation"], "lastTransitionTime": "2026-01-01T00:00:00Z"}
    conditions = [
        {"type": kind, "status": "True", "reason": kind, "message": "", **now} for kind in ("Accepted", "ResolvedRefs")
    ]
    parent = {"parentRef": {"name": "public"}, "controllerName": "example.com/gateway", "conditions": conditions}
    patch = json.dumps({"status": {"parents": [parent]}})
    kubectl.run("patch", "httproute", "model", "--subresource=status", "--type=merge", "-p", patch)


def test_the_weights_of_a_route_follow_a_canary_from_its_first_step_to_its_end(
    namespace: Kubectl, store: str, images: dict[str, str]
) -> None:
    trained(namespace, images["flights-train"], store, 1.0)
    namespace.apply(deployment(10, 50))
    old = live(namespace, 1)["status"]["live"]["revision"]
    before = shared(namespace, {old: 100})
    namespace.apply(deployment(10, 50, label="b"))
    waiting = namespace.wait_for(
        "modeldeployment",
        "model",
        lambda d: "no requests would reach them" in (d["status"].get("candidate") or {}).get("message", ""),
        what="the candidate waits for the Gateway",
    )
    new = waiting["status"]["candidate"]["revision"]
    assert (condition(waiting, "RouteReady")["status"], condition(waiting, "RouteReady")["reason"]) == (
        "False",
        "RouteNotAccepted",
    )
    assert condition(waiting, "Ready")["status"] == "True"
    named = shared(namespace, {old: 100, new: 0})
    assert named["metadata"]["uid"] == before["metadata"]["uid"]
    # What the API server filled in is what was sent, or each look would send it again.
    time.sleep(3)
    again = namespace.get("httproute", "model")
    assert again is not None
    assert again["metadata"]["resourceVersion"] == named["metadata"]["resourceVersion"]

    accept(namespace)
    tried = candidate(namespace, "Analysing")
    assert (tried["revision"], tried["weight"]) == (new, 10)
    shared(namespace, {old: 90, new: 10})
    accept(namespace)
    namespace.wait_for(
        "modeldeployment",
        "model",
        lambda d: (d["status"].get("candidate") or {}).get("actualWeight") == 10,
        what="the share is in force",
    )
    namespace.wait_for(
        "modeldeployment", "model", lambda d: condition(d, "RouteReady")["status"] == "True", what="the route is taken"
    )
    # Nobody sends requests here, so nothing is measured; an edit of the steps moves it too.
    namespace.apply(deployment(50, label="b"))
    shared(namespace, {old: 50, new: 50})
    assert selector(namespace) == {"steadfit.dev/model-deployment": "model", "steadfit.dev/revision": old}

    act(namespace, "Promote", version=1)
    promoted = namespace.wait_for(
        "modeldeployment", "model", lambda d: d["status"]["live"]["revision"] == new, what="the candidate is live"
    )
    assert promoted["status"]["lastGood"]["revision"] == old
    # The last good revision is warm, and one weight away.
    shared(namespace, {new: 100, old: 0})
    services = {one["metadata"]["name"] for one in namespace.list("services")}
    assert services == {"model", f"model-{old}", f"model-{new}"}

    plain = deployment(50, label="b")
    del plain["spec"]["traffic"]
    namespace.apply(plain)
    namespace.wait_for(
        "modeldeployment", "model", lambda d: condition(d, "RouteReady").get("reason") == "NoGateway", what="no route"
    )
    for _ in range(60):
        if namespace.get("httproute", "model") is None and len(namespace.list("services")) == 1:
            break
        time.sleep(0.5)
    assert namespace.get("httproute", "model") is None
    assert [one["metadata"]["name"] for one in namespace.list("services")] == ["model"]


def test_somebody_elses_route_is_left_alone_and_the_service_serves(
    namespace: Kubectl, store: str, images: dict[str, str]
) -> None:
    namespace.create(FOREIGN)
    trained(namespace, images["flights-train"], store, 1.0)
    namespace.apply(deployment(10))
    live(namespace, 1)
    # An operator that is older than the CRDs of the Gateway API looks for them about once a minute.
    told = namespace.wait_for(
        "modeldeployment", "model", lambda d: condition(d, "RouteReady").get("reason") == "RouteNotOwned", timeout=150
    )
    assert condition(told, "Ready")["status"] == "True"
    route = namespace.get("httproute", "model")
    assert route is not None
    assert route["spec"]["rules"][0]["backendRefs"][0]["name"] == "elsewhere"
    assert "ownerReferences" not in route["metadata"]
