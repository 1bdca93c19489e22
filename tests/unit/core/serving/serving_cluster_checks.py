"""What must never happen in the cluster of the serving side, asserted at every write."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from steadfit.api.modeldeployment import ModelDeploymentStatus
from steadfit.api.modelversion import ModelVersion
from steadfit.core import names
from steadfit.core.serving.quarantine import is_revision_quarantined
from steadfit.core.types import Action, Delete

from . import serving_cluster_gateways
from .arms import ARMS, METRICS, NOTHING, WORSE

if TYPE_CHECKING:
    from .serving_cluster import ServingCluster


def order(actions: Sequence[Action]) -> None:
    """A refused action ends the pass, so none that keeps books comes before one that starts pods."""
    written = [action.manifest for action in actions if not isinstance(action, Delete)]
    starts = [n for n, one in enumerate(written) if one["kind"] == "Deployment" and one["spec"].get("replicas")]
    frozen = [n for n, one in enumerate(written) if one["kind"] == "ControllerRevision"]
    assert not starts or not frozen or max(starts) < min(frozen), "a template is frozen before pods are started"


def promotion(cluster: ServingCluster, after: ModelDeploymentStatus) -> None:
    old, new = cluster.status.live, after.live
    if new is not None and (old is None or old.revision != new.revision):
        good = cluster.status.last_good
        ready_before = {good.revision if good else None, cluster.selected()}
        there_are_pods = cluster.fleet.desired_replicas > 0
        assert there_are_pods or new.revision in ready_before, f"{new.version} goes live without having been ready"
    if old is None or new is None or old.digest == new.digest or "pin" in cluster.deployment["spec"]:
        return
    rolled_back = any(entry.revision == old.revision for entry in after.quarantine)
    tried = cluster.status.candidate
    let_through = [one.number for one in (cluster.status.promoted, after.promoted) if one]
    let_through += [tried.number] if tried and tried.promoted_by else []
    promoted = new.number in let_through or _promoted_now(cluster.status, after)
    served = [entry.digest for entry in cluster.status.served_versions]
    lost = names.workload_name("flights", old.revision) not in cluster.workloads
    back = new.digest in served and (lost or old.digest != served[-1])
    if after.override or rolled_back or promoted or back:
        return
    found = ModelVersion.model_validate(cluster.made[new.version, new.digest])
    assert found.status.phase == "Verified", f"{new.version} goes live by itself and is {found.status.phase}"
    compared = found.spec.evaluation.champion
    if new.number != old.number:
        assert compared is not None, f"{new.version} was compared with nothing and replaces {old.version}"
        assert compared.digest == old.digest, f"{new.version} was compared with another one than {old.version}"


def canary(cluster: ServingCluster, after: ModelDeploymentStatus) -> None:
    """Check that verdicts alone decide over what is tried, and that none comes of no data."""
    before, measured = cluster.status, cluster.measured()
    tried = before.candidate
    known = {(one.name, one.verdict) for one in tried.verdicts} if tried else set()
    for verdict in after.candidate.verdicts if after.candidate else []:
        if verdict.verdict != "NoData" and (verdict.name, verdict.verdict) not in known:
            assert measured.get(verdict.name, NOTHING).candidate, f"{verdict.verdict} from no data"
    # A status that was lost gets its decisions back.
    lost = before.observed_generation < 0
    if not lost and any(entry not in before.quarantine and entry.by == "analysis" for entry in after.quarantine):
        assert WORSE in measured.values(), "put back without a metric that failed"
        assert not cluster.deployment["spec"].get("dryRun"), "put back in a dry run"
    if not lost and any(entry not in before.abandoned and entry.by == "analysis" for entry in after.abandoned):
        assert tried is not None
        steps = cluster.deployment["spec"].get("strategy", {}).get("canary", {}).get("steps", [])
        moved = tried.weight not in [step["weight"] for step in steps]
        undecided = (
            moved or tried.step_since is None or set(measured) != METRICS or set(measured.values()) != {ARMS["Pass"]}
        )
        held = any(one.revision == tried.revision for one in before.pod_failures)
        assert undecided or held, "given up although every metric passes"
    _promoted_by_verdicts(cluster, before, after)


def _promoted_by_verdicts(cluster: ServingCluster, before: ModelDeploymentStatus, after: ModelDeploymentStatus) -> None:
    old, new, tried = before.live, after.live, before.candidate
    spec = cluster.deployment["spec"]
    if old is None or new is None or old.revision == new.revision or "canary" not in spec.get("strategy", {}):
        return
    by_word = "pin" in spec or after.override or after.promoted or before.promoted or _promoted_now(before, after)
    rolled_back = any(entry.revision == old.revision for entry in after.quarantine)
    back = before.last_good is not None and before.last_good.revision == new.revision
    if by_word or rolled_back or back:
        return
    assert tried is not None
    assert (tried.revision, tried.phase, tried.champion_revision) == (new.revision, "Promoting", old.revision)
    passed = bool(tried.verdicts) and all(verdict.verdict == "Pass" for verdict in tried.verdicts)
    waived = spec.get("analysis", {}).get("onInconclusive") == "Promote"
    assert tried.promoted_by or passed or waived, f"{new.version} replaces {old.version} without having passed"


def _promoted_now(before: ModelDeploymentStatus, after: ModelDeploymentStatus) -> bool:
    """Return whether a person lets something through in this pass; where its pods are there already it is live too."""
    done = {record.uid for record in before.actions if record.phase != "Pending"}
    return any(one.verb == "Promote" and one.phase == "Succeeded" and one.uid not in done for one in after.actions)


def _allowed(cluster: ServingCluster) -> set[str]:
    """Return the revisions that may take traffic."""
    live, candidate = cluster.status.live, cluster.status.candidate
    allowed = {live.revision} if live else set()
    if live and candidate and candidate.analysed_since and candidate.champion_revision == live.revision:
        allowed.add(candidate.revision)
    return allowed - {entry.revision for entry in cluster.status.quarantine}


def stand_ins(cluster: ServingCluster) -> set[str]:
    """Return the revisions that may answer in place of a live one without ready pods."""
    status, fleet = cluster.status, cluster.fleet
    if status.live is None or fleet.ready_pods(status.live.revision) > 0 or fleet.desired_replicas == 0:
        return set()
    good, candidate = status.last_good, status.candidate
    refs = {good.revision} if good else set()
    if candidate and (candidate.champion_revision is None or candidate.analysed_since):
        refs.add(candidate.revision)
    allowed = refs - {entry.revision for entry in status.quarantine}
    # What answers already may go on, whatever was decided over it.
    taking = {revision for revision in _answering(cluster) if fleet.ready_pods(revision) > 0}
    return {revision for revision in allowed if fleet.ready_pods(revision) > 0} or taking


def is_going_back_to(cluster: ServingCluster, revision: str) -> bool:
    """Return whether the live revision was rolled back, and this one with ready pods replaces it."""
    live, candidate = cluster.status.live, cluster.status.candidate
    if live is None or candidate is None or candidate.revision != revision or candidate.champion_revision:
        return False
    bad = any(entry.revision == live.revision for entry in cluster.status.quarantine)
    return bad and cluster.fleet.ready_pods(revision) > 0


def _answering(cluster: ServingCluster) -> set[str]:
    chosen = cluster.service["spec"]["selector"] if cluster.service else None
    matched = matched_by(chosen, cluster.pods()) if chosen else []
    weights = serving_cluster_gateways.weights(cluster.route) if cluster.route else {}
    return {pod["metadata"]["labels"][names.REVISION] for pod in matched} | {r for r, w in weights.items() if w}


def move(cluster: ServingCluster, chosen: dict[str, str]) -> None:
    revision, before = str(champion(chosen)), cluster.selected()
    matched = {pod["metadata"]["labels"][names.REVISION] for pod in matched_by(chosen, cluster.pods())}
    if cluster.service and names.REVISION not in cluster.service["spec"]["selector"] and before == revision:
        # Back from shares to the champion alone: whatever that is, fewer get requests than before.
        assert names.REVISION in chosen
        assert matched <= {revision}
        return
    assert cluster.status.live is not None
    if revision in stand_ins(cluster):
        assert matched <= {revision}
        return
    if cluster.service and names.REVISION not in cluster.service["spec"]["selector"]:
        tried = cluster.status.candidate
        if revision == cluster.status.live.revision and tried and tried.revision == before:
            # From shares with a good revision back to the bad one alone: the good one has lost its pods.
            assert cluster.fleet.ready_pods(before) == 0
            return
    if names.REVISION not in chosen and is_going_back_to(cluster, revision):
        assert matched <= {revision, cluster.status.live.revision}
        return
    assert revision == cluster.status.live.revision, "the Service is pointed at something that is not live"
    assert all(entry.revision != revision for entry in cluster.status.quarantine), "traffic to the quarantine"
    assert matched <= _allowed(cluster), "the Service selects pods of what is neither live nor tried"
    if revision != before and cluster.fleet.ready_pods(before) > 0:
        bad = before is not None and is_revision_quarantined(before, cluster.status, cluster.fleet)
        assert bad or cluster.fleet.has_enough(revision), "the Service moved before enough pods were ready"


def scale(cluster: ServingCluster, existing: dict[str, Any], replicas: int) -> None:
    revision = existing["metadata"]["labels"][names.REVISION]
    if revision == cluster.selected():
        target = cluster.deployment["spec"]["server"]["replicas"]
        target = min(1, target) if _makes_room(cluster, revision) else target
        assert replicas >= min(target, existing["spec"]["replicas"]), "what serves was scaled down"
    bad, good = {entry.revision for entry in cluster.status.quarantine}, cluster.status.candidate
    if existing["spec"]["replicas"] == 0 and revision in bad:
        replaced = good is not None and good.champion_revision is None and good.revision not in bad
        assert replicas == 0 or not replaced, "what was rolled back gets pods again beside what replaces it"
    grows = replicas > existing["spec"]["replicas"]
    if grows and cluster.service and matched_by(cluster.service["spec"]["selector"], [existing["spec"]["template"]]):
        may = _allowed(cluster) | {cluster.selected()}
        assert revision in may, "what takes traffic and is neither live nor tried gets more pods"


def _makes_room(cluster: ServingCluster, revision: str) -> bool:
    """Return whether a revision is in quarantine, and pods of the one that replaces it have no room."""
    good = cluster.status.candidate
    lacking = cluster.unschedulable | set(cluster.refused)
    return (
        any(one.revision == revision for one in cluster.status.quarantine)
        and good is not None
        and (good.revision in lacking)
    )


def delete(cluster: ServingCluster, existing: dict[str, Any]) -> None:
    revision = existing["metadata"]["labels"][names.REVISION]
    status = cluster.status
    kept = [ref.revision for ref in (status.live, status.candidate, status.last_good) if ref]
    if status.candidate and status.candidate.champion_revision:
        label = f"{names.TRAFFIC_PREFIX}{status.candidate.champion_revision}"
        if revision == status.candidate.revision and label not in existing["spec"]["template"]["metadata"]["labels"]:
            kept.remove(revision)
    assert revision not in kept, "a revision was deleted that is still needed"
    assert revision != cluster.selected(), "the revision that serves was deleted"


def champion(chosen: dict[str, str]) -> str | None:
    mixed = [key.removeprefix(names.TRAFFIC_PREFIX) for key in chosen if key.startswith(names.TRAFFIC_PREFIX)]
    return mixed[0] if mixed else chosen.get(names.REVISION)


def matched_by(chosen: dict[str, str], manifests: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [item for item in manifests if chosen.items() <= item["metadata"].get("labels", {}).items()]
