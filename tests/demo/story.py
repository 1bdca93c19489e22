"""The main job end to end: train, record, serve; new data, retrain, move; roll back."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tests.support.kubectl import Kubectl, Manifest, is_true, ticks
from tests.support.traffic import Traffic

from .flights import infer_request
from .lake import Lake
from .timeline import Timeline

NAME = "flights"
EXAMPLE = Path("manifests/examples/flights")
INFER = f"/api/v1/namespaces/{NAME}/services/{NAME}:http/proxy/v2/models/{NAME}/infer"
ENOUGH_REQUESTS = 21_000
"""A little more than the report promises."""


def tell(timeline: Timeline, lake: Lake, overlay: Path, secret: Manifest, server_image: str) -> dict[str, Any]:
    """Run the story and return the load generator's report.

    Parameters
    ----------
    overlay
        Kustomization over the example that names the training image by its digest.
    secret
        The store's keys, as a Secret of the example's namespace.
    server_image
        Image that has a Python to run the load generator with.
    """
    kubectl = timeline.kubectl
    timeline.note(f"{lake.arrive(1)} is in the lake; applying {EXAMPLE}/")
    kubectl.apply(EXAMPLE / "namespace.yaml")
    kubectl.apply(secret)
    kubectl.apply(overlay)

    first = _trained(timeline, number=1)
    version = _recorded(timeline, first)
    live = _served(timeline, version)
    traffic = Traffic.start(kubectl, server_image, f"http://{NAME}.{NAME}.svc/v2/models/{NAME}/infer", infer_request(2))
    timeline.note("load: 300 requests a second from 8 keep-alive and 8 fresh-connection clients")

    timeline.note(f"{lake.arrive(2)} arrives; asking for a retrain")
    _act(kubectl, "february", "Retrain", "TrainingJob", "February's flights are in the lake")
    second = _trained(timeline, number=2, step="retrained")
    newer = kubectl.wait_for("modelversion", f"{NAME}-v2", lambda v: v.get("status", {}).get("phase"))
    moved = _live(timeline, newer, "moved")
    timeline.note(f"{second['metadata']['name']} took over from {live['version']} under load")

    action = _act(kubectl, "undo", "Rollback", "ModelDeployment", "trying the way back")
    deployment = timeline.until(
        "modeldeployment", NAME, lambda d: _serves(d, version), timeout=120, what="the last good version serves again"
    )
    quarantined = deployment["status"]["quarantine"][0]
    done = kubectl.wait_for("modelaction", "undo", lambda a: a["status"]["phase"] == "Succeeded")
    timeline.step(
        "rolledBack",
        f"{version['metadata']['name']} serves again; revision {quarantined['revision']} is quarantined",
        action=action["metadata"]["uid"],
        message=done["status"]["message"],
        revision=deployment["status"]["live"]["revision"],
        digest=deployment["status"]["live"]["digest"],
        quarantinedRevision=quarantined["revision"],
        replacedRevision=moved["revision"],
    )
    for _ in ticks(180, interval=2.0):
        if traffic.requests() >= ENOUGH_REQUESTS:
            break
    return traffic.stop()


def _trained(timeline: Timeline, number: int, step: str = "trained") -> Manifest:
    job = timeline.until(
        "trainingjob",
        NAME,
        lambda j: (j["status"].get("latestVersion") or {}).get("number") == number and "lastRun" in j["status"],
        timeout=420,
        what=f"version {number} is trained",
    )
    name = timeline.kubectl.get("modelversion", f"{NAME}-v{number}")
    assert name is not None
    run = timeline.until(
        "trainingrun",
        name["spec"]["run"]["name"],
        lambda r: r["status"]["phase"] == "Succeeded",
        timeout=120,
        what="the run has ended",
    )
    cause = run["spec"]["cause"]
    timeline.step(
        step,
        f"{run['metadata']['name']} because: {cause['message']}",
        run=run["metadata"]["uid"],
        trainingJob=job["metadata"]["uid"],
        cause=cause["type"],
        attempts=len(run["status"]["attempts"]),
    )
    return run


def _recorded(timeline: Timeline, run: Manifest) -> Manifest:
    version = timeline.until(
        "modelversion",
        run["status"]["version"],
        lambda v: v["status"].get("phase") == "Verified",
        timeout=60,
        what="the version is verified",
    )
    spec = version["spec"]
    metrics = {metric["name"]: round(metric["value"], 4) for metric in spec["evaluation"]["metrics"]}
    timeline.step(
        "recorded",
        f"{version['metadata']['name']} {spec['artifact']['digest'][:19]}… {metrics}"
        f" on {spec['evaluation']['holdoutRows']} rows it never saw",
        version=version["metadata"]["uid"],
        digest=spec["artifact"]["digest"],
        run=run["metadata"]["uid"],
        metrics=metrics,
    )
    return version


def _served(timeline: Timeline, version: Manifest) -> dict[str, Any]:
    detail = _live(timeline, version, None)
    answer = timeline.kubectl.post(INFER, infer_request(2, rows=2))
    timeline.step(
        "served",
        f"{detail['version']} answers: {answer['outputs'][0]['data']}",
        **detail,
        answer={key: answer[key] for key in ("model_name", "model_version")},
    )
    return detail


def _live(timeline: Timeline, version: Manifest, step: str | None) -> dict[str, Any]:
    deployment = timeline.until(
        "modeldeployment",
        NAME,
        lambda d: _serves(d, version) and is_true(d, "Ready"),
        timeout=180,
        what=f"{version['metadata']['name']} serves",
    )
    live = deployment["status"]["live"]
    detail = {
        "modelDeployment": deployment["metadata"]["uid"],
        "modelVersion": version["metadata"]["uid"],
        "version": live["version"],
        "revision": live["revision"],
        "digest": live["digest"],
    }
    if step:
        timeline.step(step, f"traffic is on {live['version']} (revision {live['revision']})", **detail)
    return detail


def _serves(deployment: Manifest, version: Manifest) -> bool:
    """Whether the version is live and nothing else is coming up."""
    status = deployment["status"]
    live: dict[str, Any] = status.get("live") or {}
    return live.get("version") == version["metadata"]["name"] and "candidate" not in status


def _act(kubectl: Kubectl, name: str, verb: str, kind: str, reason: str) -> Manifest:
    return kubectl.create(
        {
            "apiVersion": "steadfit.dev/v1alpha1",
            "kind": "ModelAction",
            "metadata": {"name": name, "namespace": NAME},
            "spec": {
                "verb": verb,
                "target": {"kind": kind, "name": NAME},
                "reason": reason,
                "requestedBy": kubectl.whoami(),
            },
        }
    )
