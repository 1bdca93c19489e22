"""The main job end to end: train, record, serve; the world moves, retrain, judge, move; roll back."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.support.kubectl import Kubectl, Manifest, is_true, ticks

from .drifting import Months
from .flights import infer_request
from .lake import Lake
from .monitoring import Monitoring
from .overlay import EXAMPLE
from .player import RATE, Player
from .timeline import Timeline

NAME = "flights"
INFER = f"/api/v1/namespaces/{NAME}/services/{NAME}:http/proxy/v2/models/{NAME}/infer"
LEARNED = 1
"""January: what the first version learns from."""
PLAYED = range(2, 7)
"""From February on. By the data (docs/design/0069) February is near enough to January, and March no longer is; should
the gate refuse March's candidate, April and the months after it are there."""
ENOUGH_REQUESTS = 31_000
"""A little more than the report promises."""


@dataclass(frozen=True)
class World:
    """What the story is told with.

    Attributes
    ----------
    overlay
        Kustomization over the example, in demo time.
    secret
        The store's keys, as a Secret of the example's namespace.
    image
        Image that has a Python with obstore and pyarrow, to play the months with.
    """

    lake: Lake
    monitoring: Monitoring
    overlay: Path
    secret: Manifest
    image: str


def tell(timeline: Timeline, world: World) -> dict[str, Any]:
    """Run the story and return the load generator's report."""
    kubectl, lake = timeline.kubectl, world.lake
    timeline.note(f"{lake.arrive(LEARNED)} is in the lake; applying {EXAMPLE}/ in demo time")
    kubectl.apply(EXAMPLE / "namespace.yaml")
    kubectl.apply(world.secret)
    kubectl.apply(world.overlay)

    first = _trained(timeline, number=1)
    version = _recorded(timeline, first)
    live = _served(timeline, version)
    lake.to_be_played(PLAYED[0])
    player = Player.start(kubectl, world.image, f"http://{NAME}.{NAME}.svc/v2/models/{NAME}/infer", PLAYED[0])
    timeline.note(f"load: {RATE} flights a second from 8 keep-alive and 8 fresh-connection clients")
    newer = Months(timeline, lake, player, world.monitoring, NAME, live).play(PLAYED)
    moved = _live(timeline, newer, "moved")
    timeline.note(f"{newer['metadata']['name']} took over from {live['version']} under load")

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
        if player.state()["sent"] >= ENOUGH_REQUESTS:
            break
    feedback = player.state()["feedback"]
    timeline.note(f"outcomes posted back: {feedback['counted']} counted, {sum(feedback['rejected'].values())} rejected")
    return player.stop()


def _trained(timeline: Timeline, number: int) -> Manifest:
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
        "trained",
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
        "number": live["number"],
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
