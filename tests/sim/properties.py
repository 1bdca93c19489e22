"""What must hold at every commit, whatever crashes, faults and races there are. The store's truth is judged, not the
operator's view of it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from steadfit.core import names
from steadfit.core.types import Event

from tests.oracles import reasons as reason_oracles
from tests.oracles import status as status_oracles

from .client import MANAGER
from .objects import JSON, Ref, clone
from .staying_up import StayingUp
from .store import Change, Store

GROUP = "steadfit.dev/v1alpha1"
USERS_KINDS = ("TrainingJob", "ModelDeployment", "ModelAction", "ArtifactStore")
FINAL = ("Succeeded", "Failed", "Superseded", "Cancelled", "Skipped")
MANAGERS = (MANAGER, "steadfit-scale")
READINESS_MEMORY = 90.0
"""A decision may rest on a readiness that is this old, in seconds: lag, a broken watch and a backoff add up."""

Check = Callable[[Change], Iterator[str]]


class Properties:
    """Watches every commit; what was violated is in `violations`, in order."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self.violations: list[str] = []
        self.states: list[JSON] = []
        """Every state of our kinds, for oracles that are too slow to ask each time."""
        self.two_leaders = False
        """Whether a process is at work that does not know yet that another one has taken over."""
        self.stray: set[str] = set()
        """Uids of Jobs that such a process made out of turn."""
        self._attempts: dict[tuple[str, str], str] = {}
        self._numbers: dict[tuple[str | None, str, int], str] = {}
        self._versions_of: dict[str, set[str]] = defaultdict(set)
        self._verified: set[str] = set()
        self._passed: set[str] = set()
        self._complete_at: dict[tuple[str, str], float] = {}
        self._empty_at: dict[tuple[str, str], float] = {}
        self._final: dict[str, str] = {}
        self._done: dict[tuple[str, str], JSON] = {}
        self._checks: tuple[Check, ...] = (
            self._statuses_can_be_read,
            self._users_objects_are_left_alone,
            self._one_run_in_flight,
            self._one_job_an_attempt,
            self._final_phases_are_final,
            self._one_version_a_run,
            self._only_verified_versions_go_live,
            self._nothing_replaces_what_serves_that_was_not_compared_with_it,
            self._nothing_is_let_through_without_a_verdict,
            self._a_pin_lets_nothing_through,
            self._traffic_goes_where_it_may,
            self._what_serves_keeps_its_pods,
            self._actions_are_done_once,
            StayingUp().nothing_goes_live_whose_servers_do_not_stay,
        )
        store.listeners.append(self.on_change)

    def on_change(self, change: Change) -> None:
        """Judge one commit."""
        checks = (self._events_are_in_the_catalogue,) if change.ref.kind == "Event" else self._checks
        for check in checks:
            for sentence in check(change):
                self.violations.append(f"at {change.at:.1f} s, {change.operation} of {change.ref}: {sentence}")

    def _events_are_in_the_catalogue(self, change: Change) -> Iterator[str]:
        if change.type != "DELETED" and "reportingController" in change.new:
            event = Event(change.new["type"], change.new["reason"], change.new["note"])
            yield from reason_oracles.event_violations(change.new["regarding"]["kind"], event)

    def _statuses_can_be_read(self, change: Change) -> Iterator[str]:
        if change.ref.api_version == GROUP and change.type != "DELETED":
            self.states.append(change.new)
            yield from status_oracles.violations(change.new, change.old)

    def _users_objects_are_left_alone(self, change: Change) -> Iterator[str]:
        if change.manager not in MANAGERS or change.ref.kind not in USERS_KINDS:
            return
        if change.ref.api_version == GROUP and change.operation not in ("status", "delete") and not _accepted(change):
            yield "the operator wrote to a user's object outside its status"
        if change.operation == "delete" and change.ref.kind != "ModelAction":
            yield "the operator deleted a user's object"

    def _one_run_in_flight(self, change: Change) -> Iterator[str]:
        if change.ref.kind != "TrainingRun" or change.type != "ADDED":
            return
        job = change.new["spec"]["trainingJobRef"]["uid"]
        flying = [
            run["metadata"]["name"]
            for run in self._store.peek("TrainingRun", change.ref.namespace)
            if run["spec"]["trainingJobRef"]["uid"] == job
            and run["spec"].get("purpose", "Train") == "Train"
            and run.get("status", {}).get("phase") not in FINAL
        ]
        if len(flying) > 1:
            yield f"{len(flying)} runs are in flight: {flying}"

    def _one_job_an_attempt(self, change: Change) -> Iterator[str]:
        if change.ref.kind != "Job" or change.type != "ADDED":
            return
        labels = change.new["metadata"]["labels"]
        if names.TRAINING_RUN not in labels:
            return
        (owner,) = change.new["metadata"]["ownerReferences"]
        wrong = [*self._misplaced(change, owner["uid"], labels), *self._beside_others(change, labels)]
        if wrong and self.two_leaders:
            # No precondition of a create can fence it. It must be ended again at once.
            self.stray.add(change.new["metadata"]["uid"])
            return
        yield from wrong

    def _misplaced(self, change: Change, run_uid: str, labels: Mapping[str, str]) -> Iterator[str]:
        attempt = (run_uid, labels[names.ATTEMPT])
        if attempt in self._attempts:
            yield f"attempt {attempt[1]} of the run has had the Job {self._attempts[attempt]} before"
        self._attempts[attempt] = change.ref.name
        run = self._store.look(Ref(GROUP, "TrainingRun", change.ref.namespace, labels[names.TRAINING_RUN]))
        if run is None or run["metadata"]["uid"] != run_uid:
            return
        phase = run.get("status", {}).get("phase")
        if phase in FINAL:
            yield f"the run is {phase} and gets a Job"
        if not any(known["job"] == change.ref.name for known in run["status"].get("attempts", ())):
            yield "no status says that this Job is meant to be"

    def _beside_others(self, change: Change, labels: Mapping[str, str]) -> Iterator[str]:
        selector = f"{names.TRAINING_RUN}={labels[names.TRAINING_RUN]}"
        others = [
            job["metadata"]["name"]
            for job in self._store.peek("Job", change.ref.namespace, selector)
            if job["metadata"]["name"] != change.ref.name
            and not _job_ended(job)
            and "deletionTimestamp" not in job["metadata"]
        ]
        if others:
            yield f"the Jobs {others} of the same run are still at work"

    def strays(self) -> list[str]:
        """Return the Jobs that a deposed leader made and nobody has ended."""
        return [
            job["metadata"]["name"]
            for job in self._store.peek("Job")
            if job["metadata"]["uid"] in self.stray and not _job_ended(job)
        ]

    def mislabelled(self) -> list[str]:
        """Return the pods whose label says that they serve and that do not, or that serve without it."""
        wrong = []
        for pod in self._store.peek("Pod"):
            labels = pod["metadata"].get("labels", {})
            name, revision = labels.get(names.MODEL_DEPLOYMENT), labels.get(names.REVISION)
            if name is None or "deletionTimestamp" in pod["metadata"]:
                continue
            namespace = pod["metadata"]["namespace"]
            owner = self._store.find(Ref(GROUP, "ModelDeployment", namespace, name))
            service = self._store.find(Ref("v1", "Service", namespace, name))
            live = ((owner or {}).get("status", {}).get("live") or {}).get("revision")
            selected = ((service or {}).get("spec", {}).get("selector") or {}).get(names.REVISION)
            if owner is not None and (labels.get(names.SERVING) == "live") != (revision in (live, selected)):
                wrong.append(pod["metadata"]["name"])
        return wrong

    def _final_phases_are_final(self, change: Change) -> Iterator[str]:
        if change.ref.kind != "TrainingRun" or change.type == "DELETED":
            return
        uid, phase = change.new["metadata"]["uid"], change.new.get("status", {}).get("phase")
        if uid in self._final and self._final[uid] != phase:
            yield f"a run that was {self._final[uid]} is {phase}"
        if phase in FINAL:
            self._final.setdefault(uid, phase)

    def _one_version_a_run(self, change: Change) -> Iterator[str]:
        if change.ref.kind != "ModelVersion" or change.type == "DELETED":
            return
        spec = change.new["spec"]
        if change.new.get("status", {}).get("phase") == "Verified":
            self._verified.add(change.new["metadata"]["uid"])
        if change.type != "ADDED":
            return
        runs = self._versions_of[spec["run"]["uid"]]
        runs.add(change.ref.name)
        if len(runs) > 1:
            yield f"one run has brought the versions {sorted(runs)}"
        number = (change.ref.namespace, spec["trainingJobRef"]["name"], spec["number"])
        if self._numbers.setdefault(number, change.ref.name) != change.ref.name:
            yield f"number {spec['number']} belongs to {self._numbers[number]}"
        run = self._store.look(Ref(GROUP, "TrainingRun", change.ref.namespace, spec["run"]["name"]))
        if run is not None and run["metadata"]["uid"] == spec["run"]["uid"]:
            if run["status"].get("versionNumber") != spec["number"]:
                yield "the run's status has not taken this number"
            if run["status"].get("record", {}).get("artifact", {}).get("digest") != spec["artifact"]["digest"]:
                yield "the artifact is not the one of the run's record"

    def _only_verified_versions_go_live(self, change: Change) -> Iterator[str]:
        if change.ref.kind != "ModelDeployment" or change.operation != "status":
            return
        live, old = change.new["status"].get("live"), (change.old or {}).get("status", {}).get("live")
        if live is None or (old is not None and old["revision"] == live["revision"]):
            return
        version = self._store.look(Ref(GROUP, "ModelVersion", change.ref.namespace, live["version"]))
        pinned = "pin" in change.new["spec"] or "override" in change.new["status"] or _promoted(change.new, live)
        if version is None or (version["metadata"]["uid"] not in self._verified and not pinned):
            yield f"{live['version']} goes live and was never verified"
        if live["revision"] in _quarantined(change.new):
            yield f"the revision {live['revision']} goes live and is in quarantine"

    def _nothing_replaces_what_serves_that_was_not_compared_with_it(self, change: Change) -> Iterator[str]:
        if change.ref.kind == "ModelVersion" and change.type != "DELETED":
            if change.new.get("status", {}).get("gate", {}).get("verdict") == "Pass":
                self._passed.add(change.new["metadata"]["uid"])
            return
        if change.ref.kind != "ModelDeployment" or change.operation != "status" or change.old is None:
            return
        status, before = change.new["status"], change.old.get("status", {})
        live, old = status.get("live"), before.get("live")
        if (
            live is None
            or old is None
            or live["digest"] == old["digest"]
            or old["revision"] in _quarantined(change.new)
            or self._is_lost(change, old)
        ):
            return
        served = [entry["digest"] for entry in before.get("servedVersions", ())]
        back = live["digest"] in served and old["digest"] != served[-1]
        if "pin" in change.new["spec"] or "override" in status or back:
            return
        if _promoted(change.new, live):
            return
        version = self._store.look(Ref(GROUP, "ModelVersion", change.ref.namespace, live["version"]))
        compared = version["spec"]["evaluation"].get("champion", {}) if version else {}
        if version is None or version["metadata"]["uid"] not in self._passed or compared.get("digest") != old["digest"]:
            yield f"{live['version']} replaces {old['version']} and was not shown to be as good"

    def _is_lost(self, change: Change, ref: JSON) -> bool:
        """Return whether nothing is left that a revision could be started from as it was."""
        name = names.workload_name(change.ref.name, ref["revision"])
        kept = (
            self._store.look(Ref("apps/v1", kind, change.ref.namespace, name))
            for kind in ("Deployment", "ControllerRevision")
        )
        return all(obj is None for obj in kept)

    def _nothing_is_let_through_without_a_verdict(self, change: Change) -> Iterator[str]:
        if change.ref.kind != "ModelDeployment" or change.operation != "status" or change.old is None:
            return
        spec, status, before = change.new["spec"], change.new["status"], change.old.get("status", {})
        live, old, tried = status.get("live"), before.get("live"), before.get("candidate", {})
        if (
            "canary" not in spec.get("strategy", {})
            or live is None
            or old is None
            or live["revision"] == old["revision"]
        ):
            return
        word = "pin" in spec or "override" in status or "promoted" in status or "promotedBy" in tried
        through = {entry["digest"] for entry in before.get("servedVersions", ())}
        back = live["digest"] in through and (
            before.get("lastGood", {}).get("revision") == live["revision"] or old["digest"] not in through
        )
        if word or back or old["revision"] in _quarantined(change.new) or self._is_lost(change, old):
            return
        beside = (tried.get("revision"), tried.get("phase"), tried.get("championRevision"))
        if beside != (live["revision"], "Promoting", old["revision"]):
            yield f"{live['version']} replaces {old['version']} and was not let through beside it"
        words = {verdict["verdict"] for verdict in tried.get("verdicts", ())}
        if words != {"Pass"}:
            yield f"{live['version']} replaces {old['version']} with the verdicts {sorted(words)}"

    def _a_pin_lets_nothing_through(self, change: Change) -> Iterator[str]:
        """Judge what counts as let through although it was live before: by a pin."""
        if change.ref.kind != "ModelDeployment" or change.operation != "status" or change.old is None:
            return
        spec, status, before = change.new["spec"], change.new["status"], change.old.get("status", {})
        live, old = status.get("live"), before.get("live")
        through = {entry["digest"] for entry in before.get("servedVersions", ())}
        if "canary" not in spec.get("strategy", {}) or not through or live is None or old is None:
            return
        known = {entry["uid"] for entry in before.get("actions", ())}
        promoted = any(one["verb"] == "Promote" and one["uid"] not in known for one in status.get("actions", ()))
        now = {entry["digest"] for entry in status.get("servedVersions", ())}
        if live["revision"] == old["revision"] and live["digest"] in now - through and not promoted:
            yield f"{live['version']} was let through by its pin"

    def _traffic_goes_where_it_may(self, change: Change) -> Iterator[str]:
        if change.ref.kind == "Deployment" and change.type != "DELETED":
            self._note_readiness(change)
        if change.ref.kind != "Service" or change.type == "DELETED":
            return
        selector = change.new["spec"]["selector"]
        before = change.old["spec"]["selector"] if change.old is not None else {}
        if before == selector or selector.get(names.MODEL_DEPLOYMENT) != change.ref.name:
            return
        revision = _champion(selector)
        deployment = self._store.look(
            Ref(GROUP, "ModelDeployment", change.ref.namespace, selector[names.MODEL_DEPLOYMENT])
        )
        if deployment is None:
            return
        if names.REVISION in selector and names.REVISION not in before and _champion(before) == revision:
            # From shares back to the champion: fewer get requests than before, whatever that is by now.
            return
        status = deployment["status"]
        if self._stands_in(change, deployment, revision) or _is_going_back(deployment, selector, revision):
            return
        if revision == status.get("live", {}).get("revision") and _is_going_back(deployment, before, _champion(before)):
            return
        yield from self._shares(change, deployment)
        if revision in _quarantined(deployment):
            yield f"traffic goes to {revision}, which is in quarantine"
        if status.get("live", {}).get("revision") != revision:
            yield f"traffic goes to {revision}, which status does not call live"
        if revision is None or _champion(before) == revision:
            return
        uid = deployment["metadata"]["uid"]
        seen = self._complete_at.get((uid, revision))
        named = names.workload_name(deployment["metadata"]["name"], revision)
        now = self._store.look(Ref("apps/v1", "Deployment", change.ref.namespace, named))
        if now is not None and _has_enough(now):
            return
        if seen is None or change.at - seen > READINESS_MEMORY:
            yield f"traffic goes to {revision}, which was not ready at its target"

    def _stands_in(self, change: Change, deployment: Mapping[str, Any], revision: str | None) -> bool:
        """Return whether a revision answers in place of the live one, none of whose pods was ready just now."""
        status, uid = deployment["status"], deployment["metadata"]["uid"]
        live, candidate = status.get("live", {}).get("revision"), status.get("candidate", {})
        may = {status.get("lastGood", {}).get("revision")}
        if candidate.get("analysedSince") or "championRevision" not in candidate:
            may.add(candidate.get("revision"))
        if live is None or revision is None or revision not in may - _quarantined(deployment):
            return False
        now = self._store.look(
            Ref(
                "apps/v1", "Deployment", change.ref.namespace, names.workload_name(deployment["metadata"]["name"], live)
            )
        )
        empty = now is None or not now.get("status", {}).get("readyReplicas")
        return empty or change.at - self._empty_at.get((uid, live), -READINESS_MEMORY) < READINESS_MEMORY

    def _shares(self, change: Change, deployment: Mapping[str, Any]) -> Iterator[str]:
        """Judge whose pods, also those on their way out, get requests by a selector."""
        selector, status = change.new["spec"]["selector"], deployment["status"]
        live, candidate = status.get("live", {}).get("revision"), status.get("candidate", {})
        may = {live}
        if candidate.get("analysedSince") and candidate.get("championRevision") == live:
            may.add(candidate["revision"])
        for pod in self._store.peek("Pod", change.ref.namespace):
            labels = pod["metadata"].get("labels", {})
            if selector.items() <= labels.items() and labels[names.REVISION] not in may - _quarantined(deployment):
                yield f"traffic goes to {pod['metadata']['name']}, which is neither live nor tried"

    def _what_serves_keeps_its_pods(self, change: Change) -> Iterator[str]:
        if change.ref.kind != "Deployment" or change.manager not in MANAGERS or change.type == "ADDED":
            return
        labels = change.new["metadata"]["labels"]
        service = self._store.look(Ref("v1", "Service", change.ref.namespace, labels[names.MODEL_DEPLOYMENT]))
        deployment = self._store.look(
            Ref(GROUP, "ModelDeployment", change.ref.namespace, labels[names.MODEL_DEPLOYMENT])
        )
        if service is None or deployment is None:
            return
        if _champion(service["spec"]["selector"]) != labels[names.REVISION]:
            return
        wanted = deployment["spec"]["server"]["replicas"]
        if labels[names.REVISION] in _quarantined(deployment) and self._lacks_room(change, deployment):
            wanted = min(1, wanted)
        left = 0 if change.type == "DELETED" else change.new["spec"]["replicas"]
        before = change.old["spec"]["replicas"] if change.old else 0
        if left < min(before, wanted):
            yield f"the revision that takes the traffic is left with {left} pods instead of {wanted}"

    def _lacks_room(self, change: Change, deployment: Mapping[str, Any]) -> bool:
        """Return whether a pod of the candidate finds no node."""
        revision = deployment["status"].get("candidate", {}).get("revision")
        pods = self._store.peek("Pod", change.ref.namespace)
        own = [pod for pod in pods if pod["metadata"].get("labels", {}).get(names.REVISION) == revision]
        conditions = [one for pod in own for one in pod.get("status", {}).get("conditions", ())]
        return any((one["type"], one["status"]) == ("PodScheduled", "False") for one in conditions)

    def _note_readiness(self, change: Change) -> None:
        # Its selector stays, also without owner and labels.
        selected = change.new["spec"]["selector"]["matchLabels"]
        name = selected[names.MODEL_DEPLOYMENT]
        owner = self._store.look(Ref(GROUP, "ModelDeployment", change.ref.namespace, name))
        if owner is None:
            return
        place = owner["metadata"]["uid"], selected[names.REVISION]
        for obj in (change.old, change.new):
            if obj and _has_enough(obj):
                self._complete_at[place] = change.at
            if obj and not obj.get("status", {}).get("readyReplicas"):
                self._empty_at[place] = change.at

    def _actions_are_done_once(self, change: Change) -> Iterator[str]:
        if change.ref.kind not in ("TrainingJob", "ModelDeployment") or change.operation != "status":
            return
        for record in change.new["status"].get("actions", ()):
            if record["phase"] == "Pending":
                continue
            # A Refresh with a selector is done once on each of its targets.
            known = self._done.setdefault((change.new["metadata"]["uid"], record["uid"]), record)
            # A time of a clock that was ahead is corrected: it goes back. Texts of older actions are shortened.
            kept = {
                name: record[name] for name in record if name == "at" or _is_beginning(record[name], known.get(name))
            }
            if known | kept != record or record["at"] > known["at"]:
                yield f"the action {record['name']} was done: {known}, and again: {record}"


def _is_beginning(text: Any, whole: Any) -> bool:
    """Return whether a text is the beginning of another one, shortened with an ellipsis."""
    texts = isinstance(text, str) and isinstance(whole, str)
    return texts and text.endswith("…") and whole.startswith(text.removesuffix("…"))


def _accepted(change: Change) -> bool:
    """Return whether a write marks a ModelAction and leaves the rest of it as it was."""
    old, new = clone(dict(change.old or {})), clone(dict(change.new))
    for obj in (old, new):
        obj.get("metadata", {}).get("annotations", {}).pop(names.ACCEPTED_ANNOTATION, None)
        for key in ("resourceVersion", "managedFields"):
            obj.get("metadata", {}).pop(key, None)
        if not obj.get("metadata", {}).get("annotations", {"": ""}):
            del obj["metadata"]["annotations"]
    return change.ref.kind == "ModelAction" and old == new


def _promoted(deployment: Mapping[str, Any], live: Mapping[str, Any]) -> bool:
    """Return whether a person's Promote let through what is live."""
    return bool(deployment["status"].get("promoted", {}).get("number") == live["number"])


def _champion(selector: Mapping[str, str]) -> str | None:
    """Return the revision that a selector points at; while the traffic is shared out, the champion."""
    mixed = [key.removeprefix(names.TRAFFIC_PREFIX) for key in selector if key.startswith(names.TRAFFIC_PREFIX)]
    return mixed[0] if mixed else selector.get(names.REVISION)


def _quarantined(deployment: Mapping[str, Any]) -> set[str]:
    return {entry["revision"] for entry in deployment.get("status", {}).get("quarantine", ())}


def _is_going_back(deployment: Mapping[str, Any], selector: Mapping[str, str], revision: str | None) -> bool:
    """Return whether the live revision was rolled back and shares its traffic with the one that replaces it."""
    status = deployment["status"]
    live, candidate = status.get("live", {}).get("revision"), status.get("candidate", {})
    comes = candidate.get("revision") == revision and "championRevision" not in candidate
    return comes and names.REVISION not in selector and live in _quarantined(deployment)


def _has_enough(workload: Mapping[str, Any]) -> bool:
    wanted: int = workload["spec"]["replicas"]
    ready: int = workload.get("status", {}).get("readyReplicas", 0)
    return 0 < wanted - wanted // 4 <= ready


def _job_ended(job: Mapping[str, Any]) -> bool:
    conditions = job.get("status", {}).get("conditions", ())
    return any(one["type"] in ("Complete", "Failed") and one["status"] == "True" for one in conditions)
