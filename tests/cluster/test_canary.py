"""A new revision takes a part of the traffic, is measured beside the champion, and goes on or goes back."""

from __future__ import annotations

import time
from typing import Any

from tests.support.kubectl import Kubectl, Manifest, condition, ticks
from tests.support.traffic import Traffic

from .recipes import live, model_deployment, put_rows, request, trained, training_job

RATE = 100
QUIET_REQUESTS = 200
"""So many in a row that every client has asked several times."""
RESOURCES = {"requests": {"cpu": "100m", "memory": "128Mi"}, "limits": {"memory": "512Mi"}}


def faulty(images: dict[str, str]) -> dict[str, Any]:
    """What makes a server fail every tenth request."""
    return {"image": images["test-faulty-server"], "drains": True}


def canary(name: str = "model", server: dict[str, Any] | None = None, **spec: Any) -> Manifest:
    """A ModelDeployment whose new revisions take half of the traffic first."""
    return model_deployment(
        name,
        **{
            "server": {"replicas": 1, "resources": RESOURCES, **(server or {})},
            "strategy": {"canary": {"steps": [{"weight": 50}]}},
            "analysis": {"minSamples": 100, "maxDuration": "10m"},
            "bakeDuration": "2m",
            **spec,
        },
    )


def another(value: str) -> dict[str, Any]:
    """What makes another revision of the same behaviour."""
    return {"env": [{"name": "LABEL", "value": value}]}


def traffic(kubectl: Kubectl, images: dict[str, str], name: str = "model") -> Traffic:
    """Clients that keep their connections, and others that do not."""
    url = f"http://{name}.{kubectl.namespace}.svc/v2/models/{name}/infer"
    return Traffic.start(kubectl, images["server"], url, request(), rate=RATE)


def candidate(kubectl: Kubectl, phase: str, name: str = "model", timeout: float = 120) -> Manifest:
    """Wait until the candidate is in a phase, and return it."""
    found = kubectl.wait_for(
        "modeldeployment",
        name,
        lambda d: (d["status"].get("candidate") or {}).get("phase") == phase,
        timeout=timeout,
        what=f"the candidate is {phase}",
    )
    held: Manifest = found["status"]["candidate"]
    return held


def selector(kubectl: Kubectl, name: str = "model") -> dict[str, str]:
    """What the Service selects."""
    service = kubectl.get("service", name)
    assert service is not None
    chosen: dict[str, str] = service["spec"]["selector"]
    return chosen


def selected_versions(kubectl: Kubectl) -> set[str]:
    """The versions of the pods that the Service selects."""
    chosen = selector(kubectl)
    labels = [pod["metadata"]["labels"] for pod in kubectl.list("pods", "steadfit.dev/model-deployment=model")]
    return {of_pod["steadfit.dev/version"] for of_pod in labels if chosen.items() <= of_pod.items()}


def test_a_candidate_that_fails_requests_goes_back_and_no_re_apply_brings_it_again(
    namespace: Kubectl, store: str, images: dict[str, str]
) -> None:
    trained(namespace, images["flights-train"], store, 1.0)
    namespace.apply(canary())
    good = live(namespace, 1)["status"]["live"]["revision"]
    clients = traffic(namespace, images)
    namespace.apply(canary(server=faulty(images)))
    bad = candidate(namespace, "Analysing")["revision"]
    after = namespace.wait_for(
        "modeldeployment", "model", lambda d: d["status"].get("quarantine"), timeout=180, what="the candidate goes back"
    )
    (entry,) = after["status"]["quarantine"]
    assert entry["revision"] == bad
    assert "error-rate" in entry["reason"]
    assert after["status"]["live"]["revision"] == good
    moved = time.time()

    namespace.apply(
        canary(server=faulty(images)), "--server-side", "--field-manager=argocd-controller", "--force-conflicts"
    )
    time.sleep(10)
    again = namespace.get("modeldeployment", "model")
    assert again is not None
    assert again["status"]["live"]["revision"] == good
    assert "candidate" not in again["status"]
    assert condition(again, "Ready")["status"] == "True"
    assert selector(namespace)["steadfit.dev/revision"] == good
    records = clients.records()
    report = clients.stop()
    assert {record.revision for record in records if not record.error} >= {good, bad}
    assert [record for record in records if record.revision == bad and record.at > moved + 8] == [], report
    # The candidate's refusals reach half of the clients for the time of the canary; the champion answers all others.
    assert [record.error for record in records if record.error and record.at > moved + 8] == [], report


def test_a_candidate_whose_server_ends_again_and_again_goes_back_without_a_metric(
    namespace: Kubectl, store: str, images: dict[str, str]
) -> None:
    trained(namespace, images["flights-train"], store, 1.0)
    analysis = {"minSamples": 100_000, "maxDuration": "30m"}
    namespace.apply(canary(analysis=analysis))
    good = live(namespace, 1)["status"]["live"]["revision"]
    ends = {**faulty(images), "env": [{"name": "EXIT_AFTER_SECONDS", "value": "30"}]}
    namespace.apply(canary(server=ends, analysis=analysis))
    # Three lives of half a minute, and the kubelet's back-off between them.
    after = namespace.wait_for(
        "modeldeployment", "model", lambda d: d["status"].get("quarantine"), timeout=420, what="the candidate goes back"
    )
    (entry,) = after["status"]["quarantine"]
    assert (entry["by"], after["status"]["live"]["revision"]) == ("stability", good)
    assert "3 restarts of 1 pod" in entry["reason"], entry
    assert "last Error (exit code 1) with: " in entry["reason"], entry
    assert "; version 1 had none" in entry["reason"], entry


def test_an_identical_candidate_is_promoted_and_no_request_fails(
    namespace: Kubectl, store: str, images: dict[str, str]
) -> None:
    trained(namespace, images["flights-train"], store, 1.0)
    namespace.apply(canary(server=another("a")))
    before = live(namespace, 1)["status"]["live"]["revision"]
    clients = traffic(namespace, images)
    namespace.apply(canary(server=another("b")))
    candidate(namespace, "Analysing")
    tried = namespace.wait_for(
        "modeldeployment",
        "model",
        lambda d: (d["status"].get("candidate") or {}).get("actualWeight") == 50,
        what="the share is in force",
    )
    share: Manifest = tried["status"]["candidate"]
    assert (share["weight"], share["championRevision"]) == (50, before)
    after = namespace.wait_for(
        "modeldeployment",
        "model",
        lambda d: d["status"]["live"]["revision"] == share["revision"] and "candidate" not in d["status"],
        timeout=240,
        what="the candidate is promoted",
    )
    assert after["status"]["lastGood"]["revision"] == before
    # The last good revision stays warm, and its clients come over though they keep their connections.
    for _ in ticks(60, interval=3):
        records = clients.records()
        if {record.revision for record in records[-QUIET_REQUESTS:]} == {share["revision"]}:
            break
    warm = namespace.list("pods", f"steadfit.dev/revision={before}")
    serving = namespace.list("pods", "steadfit.dev/serving=live")
    report = clients.stop()
    assert [record.error for record in records if record.error] == [], report
    assert {record.revision for record in records[-QUIET_REQUESTS:]} == {share["revision"]}, report
    assert [pod["metadata"]["annotations"].get("steadfit.dev/drain") for pod in warm] == ["true"]
    # What a PodDisruptionBudget counts.
    assert {pod["metadata"]["labels"]["steadfit.dev/revision"] for pod in serving} == {share["revision"]}


def test_of_two_candidates_at_once_the_newer_one_takes_the_place_of_the_older(
    namespace: Kubectl, store: str, images: dict[str, str]
) -> None:
    image = images["flights-train"]
    trained(namespace, image, store, 1.0)
    namespace.apply(canary(analysis={"minSamples": 100_000, "maxDuration": "10m"}))
    first = live(namespace, 1)["status"]["live"]["revision"]
    put_rows(store)
    namespace.apply(training_job(image, store, params={"C": 0.1}))
    older = candidate(namespace, "Analysing", timeout=180)
    assert older["number"] == 2
    namespace.apply(training_job(image, store, params={"C": 0.01}))
    after = namespace.wait_for(
        "modeldeployment",
        "model",
        lambda d: (
            (d["status"].get("candidate") or {}).get("number") == 3 and d["status"]["candidate"]["phase"] == "Analysing"
        ),
        timeout=180,
        what="the newer one takes part in the traffic",
    )
    assert after["status"]["live"]["revision"] == first
    # The Service follows what was decided.
    for _ in ticks(30):
        if selected_versions(namespace) == {"1", "3"}:
            break
    assert selected_versions(namespace) == {"1", "3"}
