"""A canary behind a real Gateway: Traefik shares out the requests by the weights of the HTTPRoute.

What no well-behaved Gateway says of a route, tests/cluster/test_gateway.py says in its place.
"""

from __future__ import annotations

import math
import time
from typing import Any

import pytest

from tests.support.kubectl import Kubectl, Manifest, ticks
from tests.support.load import Record
from tests.support.traffic import Traffic

from .recipes import act, live, model_deployment, request, trained
from .test_canary import QUIET_REQUESTS, RESOURCES, another, candidate, faulty

# Two generators and six servers at once are more than a loaded machine answers in time.
pytestmark = pytest.mark.xdist_group("real gateway")

GATEWAY = {"name": "public", "namespace": "steadfit-gateway"}
ADDRESS = "traefik.steadfit-gateway.svc.cluster.local"
RATE = 50
SHARE_REQUESTS = 1_500
SETTLE_SECONDS = 3
"""So long after a Gateway has accepted a route its proxy may still use the one before."""


def host(kubectl: Kubectl) -> str:
    """The host name of the route: of this test alone, and one that a client in the cluster can resolve."""
    return f"gateway.{kubectl.namespace}.svc"


def deployment(kubectl: Kubectl, weight: int, server: Manifest, **spec: Any) -> Manifest:
    """A ModelDeployment behind the Gateway, whose candidates take this share."""
    return model_deployment(
        server={"replicas": 1, "resources": RESOURCES, **server},
        strategy={"canary": {"steps": [{"weight": weight}]}},
        traffic={"gatewayAPI": {"parentRefs": [GATEWAY], "hostnames": [host(kubectl)]}},
        bakeDuration="2m",
        **spec,
    )


def clients(kubectl: Kubectl, images: dict[str, str]) -> Traffic:
    """Clients that reach the model through Traefik's address, once the Gateway has taken the route."""
    kubectl.apply(
        {
            "apiVersion": "v1",
            "kind": "Service",
            "metadata": {"name": "gateway"},
            "spec": {"type": "ExternalName", "externalName": ADDRESS},
        }
    )
    in_force(kubectl)
    url = f"http://{host(kubectl)}/v2/models/model/infer"
    return Traffic.start(kubectl, images["server"], url, request(), rate=RATE)


def in_force(kubectl: Kubectl) -> None:
    """Wait until Traefik has accepted the route as it is, and its proxy has had the time to follow."""
    kubectl.wait_for("httproute", "model", accepted, what="Traefik accepts the route")
    time.sleep(SETTLE_SECONDS)


def accepted(route: Manifest) -> bool:
    """Whether Traefik has said of the present route that it takes it."""
    generation = route["metadata"]["generation"]
    said = [c for parent in route.get("status", {}).get("parents", []) for c in parent["conditions"]]
    now = {c["type"] for c in said if c["status"] == "True" and c["observedGeneration"] == generation}
    return now >= {"Accepted", "ResolvedRefs"}


def failures(records: list[Record]) -> list[Record]:
    return [record for record in records if record.error]


def test_behind_traefik_a_canary_holds_its_share_and_its_promotion_loses_no_request(
    namespace: Kubectl, store: str, images: dict[str, str]
) -> None:
    trained(namespace, images["flights-train"], store, 1.0)
    waits = {"minSamples": 100_000, "maxDuration": "30m"}
    namespace.apply(deployment(namespace, 20, another("a"), analysis=waits))
    old = live(namespace, 1)["status"]["live"]["revision"]
    traffic = clients(namespace, images)
    namespace.apply(deployment(namespace, 20, another("b"), analysis=waits))
    new = candidate(namespace, "Analysing")["revision"]
    namespace.wait_for(
        "modeldeployment",
        "model",
        lambda d: (d["status"].get("candidate") or {}).get("actualWeight") == 20,
        what="the share is in force",
    )
    in_force(namespace)
    begun = time.time()
    for _ in ticks(120, interval=3):
        shared = [record for record in traffic.records() if record.at > begun]
        if len(shared) >= SHARE_REQUESTS:
            break
    assert {record.revision for record in shared if not record.error} == {old, new}
    share = sum(record.revision == new for record in shared) / len(shared)
    # Four standard deviations of requests that each go to the candidate by chance: wrong in one of 16,000 runs.
    assert abs(share - 0.2) <= 4 * math.sqrt(0.2 * 0.8 / len(shared)), (share, len(shared))

    act(namespace, "Promote", version=1)
    namespace.wait_for(
        "modeldeployment", "model", lambda d: d["status"]["live"]["revision"] == new, what="the candidate is live"
    )
    for _ in ticks(60, interval=3):
        records = traffic.records()
        if {record.revision for record in records[-QUIET_REQUESTS:]} == {new}:
            break
    report = traffic.stop()
    assert {record.revision for record in records[-QUIET_REQUESTS:]} == {new}, report
    assert report["requests"] >= len(records) > SHARE_REQUESTS
    assert report["failed"] == 0, (report, failures(records)[:5])


def test_behind_traefik_a_candidate_that_fails_requests_goes_back_and_nothing_fails_afterwards(
    namespace: Kubectl, store: str, images: dict[str, str]
) -> None:
    trained(namespace, images["flights-train"], store, 1.0)
    analysis = {"minSamples": 100, "maxDuration": "10m"}
    namespace.apply(deployment(namespace, 50, {}, analysis=analysis))
    good = live(namespace, 1)["status"]["live"]["revision"]
    traffic = clients(namespace, images)
    namespace.apply(deployment(namespace, 50, faulty(images), analysis=analysis))
    bad = candidate(namespace, "Analysing")["revision"]
    after = namespace.wait_for(
        "modeldeployment", "model", lambda d: d["status"].get("quarantine"), timeout=240, what="the candidate goes back"
    )
    back = time.time() + 2 * SETTLE_SECONDS
    (entry,) = after["status"]["quarantine"]
    assert (entry["revision"], after["status"]["live"]["revision"]) == (bad, good)
    for _ in ticks(60, interval=3):
        records = traffic.records()
        if sum(record.at > back for record in records) >= QUIET_REQUESTS:
            break
    report = traffic.stop()
    late = [record for record in records if record.at > back]
    assert len(late) >= QUIET_REQUESTS
    assert ({record.revision for record in late}, failures(late)) == ({good}, []), report
    # The candidate answers every tenth of its requests with 500, and nobody loses another one.
    failed = failures(records)
    answered = sum(record.revision == bad and not record.error for record in records)
    assert {record.status for record in failed} == {500}, report
    assert 0 < len(failed) <= answered / 9 + 2, report
