"""What can be seen of the story, each fact once: from the cluster's objects to the steps of the report.

Pure: the demo looks every few seconds and hands over what it saw; whatever is new becomes a step.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from tests.support.kubectl import Manifest

ORDER = (
    "trained",
    "served",
    "drifted",
    "alerted",
    "retrained",
    "gated",
    "canaried",
    "promoted",
    "diagnosed",
    "degraded",
    "rolledBack",
    "quarantined",
    "refused",
)
"""The steps of a whole year. Each first happens after those before it have, and may be repeated later."""


@dataclass(frozen=True)
class Seen:
    """One look at the cluster.

    Attributes
    ----------
    alerts
        What Alertmanager says of this model.
    drift
        Weighted drift of what serves and the requests it was taken from; None without an answer.
    """

    job: Manifest
    deployment: Manifest
    service: Manifest
    runs: Sequence[Manifest]
    versions: Sequence[Manifest]
    alerts: Sequence[Manifest] = ()
    drift: tuple[float, float] | None = None


@dataclass(frozen=True)
class Fact:
    """Something that has happened.

    Attributes
    ----------
    key
        What makes it one of its kind.
    """

    name: str
    key: tuple[Any, ...]
    text: str
    detail: Mapping[str, Any]


@dataclass
class Chronicle:
    """What was told already."""

    _told: set[tuple[Any, ...]] = field(default_factory=set)

    def news(self, seen: Seen) -> list[Fact]:
        """Return what was not told yet, in the order in which a year goes."""
        found = [fact for fact in facts(seen) if (fact.name, *fact.key) not in self._told]
        self._told.update((fact.name, *fact.key) for fact in found)
        return sorted(found, key=lambda fact: ORDER.index(fact.name))


def facts(seen: Seen) -> Iterator[Fact]:
    """Yield everything that one look shows."""
    yield from _of_runs(seen)
    yield from _of_what_serves(seen)
    yield from _of_drift(seen)
    yield from _of_alerts(seen)
    yield from _of_versions(seen)
    yield from _of_the_candidate(seen)
    yield from _of_diagnoses(seen)
    yield from _of_the_quarantine(seen)


def missing(names: Sequence[str]) -> list[str]:
    """Return the steps of a year that are not there in its order, each sought behind the one before it."""
    found, at = [], 0
    for name in ORDER:
        if name in names[at:]:
            at = names.index(name, at) + 1
        else:
            found.append(name)
    return found


def trainings(runs: Sequence[Manifest]) -> list[Manifest]:
    """Return the runs that train, oldest first; one that was skipped has found that a version has learned the same."""
    found = [
        run
        for run in runs
        if run["spec"].get("purpose", "Train") == "Train" and run.get("status", {}).get("phase") != "Skipped"
    ]
    return sorted(found, key=lambda run: str(run["metadata"]["creationTimestamp"]))


def _of_runs(seen: Seen) -> Iterator[Fact]:
    for run in trainings(seen.runs):
        status, cause = run.get("status", {}), run["spec"]["cause"]
        if not status.get("version"):
            continue
        first = status["version"].endswith("-v1")
        detail = {
            "run": run["metadata"]["uid"],
            "trainingJob": seen.job["metadata"]["uid"],
            "cause": cause["type"],
            "trigger": cause.get("trigger"),
            "monitor": cause.get("monitor"),
            "version": status["version"],
            "attempts": len(status["attempts"]),
        }
        text = f"{run['metadata']['name']} because: {cause['message']}"
        yield Fact("trained" if first else "retrained", (run["metadata"]["uid"],), text, detail)


def _of_what_serves(seen: Seen) -> Iterator[Fact]:
    live = seen.deployment.get("status", {}).get("live")
    if not live:
        return
    uid = seen.deployment["metadata"]["uid"]
    detail = {"modelDeployment": uid, **{each: live[each] for each in ("version", "number", "revision", "digest")}}
    first = "lastGood" not in seen.deployment["status"]
    text = f"traffic is on {live['version']} (revision {live['revision']})"
    yield Fact("served" if first else "promoted", (live["revision"], live["since"]), text, detail)


def _of_drift(seen: Seen) -> Iterator[Fact]:
    live = seen.deployment.get("status", {}).get("live")
    monitor = next((each for each in seen.deployment["spec"]["monitors"] if "drift" in each), None)
    if not live or monitor is None or seen.drift is None:
        return
    (value, samples), level = seen.drift, monitor["drift"]["max"]
    if value > level and samples >= monitor["minSamples"]:
        text = f"{value:.3f} is above {level}: these are not the flights that {live['version']} learned from"
        detail = {"monitor": monitor["name"], "value": value, "level": level, "samples": samples}
        detail |= {"revision": live["revision"], "digest": live["digest"]}
        yield Fact("drifted", (live["revision"],), text, detail)


def _of_alerts(seen: Seen) -> Iterator[Fact]:
    """An alert counts once Alertmanager has it and the TrainingJob too."""
    stored = {each["fingerprint"]: each for each in seen.job.get("status", {}).get("alerts", [])}
    for alert in seen.alerts:
        taken = stored.get(alert["fingerprint"])
        if taken is not None:
            name, fingerprint, since = alert["labels"]["alertname"], alert["fingerprint"], alert["startsAt"]
            detail = {"fingerprint": fingerprint, "alertname": name, "startsAt": since, "labels": alert["labels"]}
            detail |= {"trigger": taken["trigger"], "receivedAt": taken["receivedAt"]}
            detail |= {"trainingJob": seen.job["metadata"]["uid"]}
            yield Fact("alerted", (fingerprint, since), f"{name} {fingerprint} fires since {since}", detail)


def _of_versions(seen: Seen) -> Iterator[Fact]:
    for version in seen.versions:
        status, spec = version.get("status", {}), version["spec"]
        gate = status.get("gate")
        if not status.get("phase") or not gate or gate["verdict"] == "Bootstrap":
            continue
        compared = spec["evaluation"].get("champion") or {}
        detail = {
            "modelVersion": version["metadata"]["uid"],
            "version": version["metadata"]["name"],
            "run": spec["run"]["uid"],
            "digest": spec["artifact"]["digest"],
            "phase": status["phase"],
            "verdict": gate["verdict"],
            "message": gate["message"],
            "margin": gate["margin"],
            "championDigest": compared.get("digest"),
            "difference": compared.get("difference"),
            "interval": [compared.get("lower"), compared.get("upper")],
            "rows": compared.get("rows"),
        }
        name = "refused" if status["phase"] == "Rejected" else "gated"
        text = f"{version['metadata']['name']} is {status['phase']}: {gate['message']}"
        yield Fact(name, (version["metadata"]["uid"],), text, detail)


def _of_the_candidate(seen: Seen) -> Iterator[Fact]:
    candidate = seen.deployment.get("status", {}).get("candidate")
    if not candidate or not candidate.get("stepSince"):
        return
    text = f"{candidate['version']} takes {candidate['actualWeight']} % of the traffic (asked: {candidate['weight']} %)"
    kept = (
        "version",
        "number",
        "revision",
        "digest",
        "championRevision",
        "step",
        "weight",
        "actualWeight",
        "analysedSince",
    )
    detail = {"modelDeployment": seen.deployment["metadata"]["uid"], **{each: candidate.get(each) for each in kept}}
    yield Fact("canaried", (candidate["revision"], candidate.get("step")), text, detail)


def _of_diagnoses(seen: Seen) -> Iterator[Fact]:
    uids = {run["metadata"]["name"]: run["metadata"]["uid"] for run in seen.runs}
    for each in seen.deployment.get("status", {}).get("diagnoses", []):
        if each.get("verdict"):
            detail = {
                "modelDeployment": seen.deployment["metadata"]["uid"],
                "monitor": each["monitor"],
                "verdict": each["verdict"],
                "message": each["message"],
                "number": each["number"],
                "comparedNumber": each.get("comparedNumber"),
                "run": uids.get(each.get("run") or ""),
            }
            text = f"{each['verdict']}: {each['message']}"
            yield Fact("diagnosed", (each["monitor"], each["decidedAt"], each["verdict"]), text, detail)


def _of_the_quarantine(seen: Seen) -> Iterator[Fact]:
    """A candidate was found worse; then the Service selects the champion alone; then the version remembers."""
    status = seen.deployment.get("status", {})
    live, candidate = status.get("live"), status.get("candidate") or {}
    for entry in status.get("quarantine", []):
        kept = {each: entry.get(each) for each in ("revision", "version", "number", "digest", "reason", "by")}
        detail = {"modelDeployment": seen.deployment["metadata"]["uid"], **kept}
        key = (entry["revision"], entry["at"])
        yield Fact("degraded", key, f"{entry['version']} is worse: {entry['reason']}", detail)
        selected = seen.service.get("spec", {}).get("selector", {}).get("steadfit.dev/revision")
        if live and selected == live["revision"] and candidate.get("revision") != entry["revision"]:
            back = {**detail, "service": seen.service["metadata"]["uid"], "liveRevision": live["revision"]}
            text = f"all of the traffic is on {live['version']} again"
            yield Fact("rolledBack", key, text, {**back, "liveDigest": live["digest"]})
        version = next((each for each in seen.versions if each["metadata"]["name"] == entry["version"]), None)
        if version is not None and version.get("status", {}).get("quarantine"):
            text = f"{entry['version']} never takes traffic again until it is released"
            yield Fact("quarantined", key, text, {**detail, "modelVersion": version["metadata"]["uid"]})
