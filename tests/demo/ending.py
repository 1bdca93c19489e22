"""What stays after the demo: what `kubectl get` shows, the lineage of what serves, the dump and the report."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from tests.support.kubectl import Kubectl, Manifest

KINDS = "trainingjobs,trainingruns,modelversions,modeldeployments,modelactions"
CHILDREN = "jobs,deployments,services"
SCREEN = "tj,tr,mv,mdep"


def show(kubectl: Kubectl) -> None:
    """Print what an operator on call would look at first."""
    print(f"\n$ kubectl -n {kubectl.namespace} get {SCREEN}\n{kubectl.run('get', SCREEN)}")


def lineage(kubectl: Kubectl, name: str) -> str:
    """Return where the version that serves comes from, line by line."""
    deployment = kubectl.get("modeldeployment", name)
    assert deployment is not None
    live = deployment["status"]["live"]
    version = kubectl.get("modelversion", live["version"])
    assert version is not None
    spec, origin = version["spec"], version["spec"]["lineage"]
    lines = [
        f"{name} serves {live['version']} as revision {live['revision']}",
        f"  artifact  {spec['artifact']['digest']}",
        f"            {spec['artifact']['uri']}",
        f"  run       {spec['run']['name']}: {spec['cause']['message']}",
        f"  image     {origin.get('imageId') or origin['image']}",
        f"  params    {json.dumps(origin.get('params', {}), sort_keys=True)}  seed {origin.get('seed', 0)}",
    ]
    lines += [
        f"  data      {data['name']} {data['digest']}: {data['rows']} rows to learn from,"
        f" {data['holdoutRows']} held out, {data['objectCount']} objects"
        for data in origin.get("data", [])
    ]
    lines += [
        f"  metric    {metric['name']} {metric['value']:.4f} on {spec['evaluation']['holdoutRows']} held-out rows"
        for metric in spec["evaluation"]["metrics"]
    ]
    lines.append(f"  record    {spec['recordUri']}")
    return "\n".join(lines)


def dump(kubectl: Kubectl, path: Path) -> None:
    """Write all objects of the story, with those the operator made, as one List."""
    items: list[Manifest] = json.loads(kubectl.run("get", f"{KINDS},{CHILDREN}", "-o", "json"))["items"]
    items += Kubectl().list("artifactstores") + Kubectl().list("metricsources")
    path.write_text(json.dumps({"apiVersion": "v1", "kind": "List", "items": items}, indent=1))


def report(path: Path, steps: list[dict[str, Any]], load: dict[str, Any], **more: Any) -> dict[str, Any]:
    """Write the report and return it."""
    written = {"requests": load["requests"], "failedRequests": load["failed"], "steps": steps, **more}
    path.write_text(json.dumps(written, indent=1))
    return written
